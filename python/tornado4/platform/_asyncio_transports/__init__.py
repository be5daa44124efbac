"""asyncio's transports: native ones under the names that asyncio has for them."""
