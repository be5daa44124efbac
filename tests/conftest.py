"""For all tests, in whichever folder. `pythonpath` in pyproject.toml lets them import
`helpers` and `suites`."""

import pytest

# So that an assertion in there says what was compared.
pytest.register_assert_rewrite("helpers", "suites")
