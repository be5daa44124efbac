"""The service that is built like Synapse."""

import json
import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from helpers.recipes import fetch, free_port, needs, recipe, running

needs("prometheus_client")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

LOOP = "<class 'tornado4.platform.asyncio.EventLoop'>"
REACTOR = "<class 'tornado4.platform.twisted.TornadoReactor'>"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_service(number, tmp_path):
    port = free_port()
    site = f"http://127.0.0.1:{port}"
    room = f"{site}/rooms/lounge"
    database = str(tmp_path / "messages.sqlite")
    with running(recipe("homeserver.py"), str(port), database) as program:
        program.says(re.escape(f"on {LOOP} and {REACTOR}"))
        # Ten who wait, for a message that comes while they do.
        with ThreadPoolExecutor(10) as pool:
            waiting = [pool.submit(fetch, f"{room}?since=0") for _ in range(10)]
            asked = threading.Event()
            while b"waiting_requests 10.0" not in fetch(f"{site}/metrics"):
                asked.wait(0.05)
            assert json.loads(fetch(room, b"hello")) == {"number": 1}
            answers = [json.loads(answer.result()) for answer in waiting]
        assert answers == [{"messages": [[1, "hello"]]}] * 10
        # Many at once, none of which is lost.
        with ThreadPoolExecutor(10) as pool:
            texts = [f"text {index}" for index in range(100)]
            posted = pool.map(lambda text: json.loads(fetch(room, text.encode())), texts)
            numbers = sorted(answer["number"] for answer in posted)
        assert numbers == [*range(2, 102)]
        messages = json.loads(fetch(f"{room}?since=1"))["messages"]
        assert sorted(text for _, text in messages) == sorted(texts)
        metrics = fetch(f"{site}/metrics").decode()
        assert 'requests_total{code="200",method="POST"} 101.0' in metrics
        assert 'requests_total{code="200",method="GET"} 11.0' in metrics
        output = program.ends(number)
    assert output.endswith("INFO - stopped\n")
    # Each line says which request it is about, that of the database's thread as well.
    of_database = re.findall(r"INFO (POST-\d+) message \d+ of lounge", output)
    of_answers = re.findall(r"INFO (POST-\d+) 200 for lounge", output)
    assert len(of_database) == 101
    assert sorted(of_database) == sorted(of_answers)
    assert len(set(of_answers)) == 101

    # And it is all still there.
    with running(recipe("homeserver.py"), str(port), database) as program:
        assert len(json.loads(fetch(room))["messages"]) == 101
        program.ends(number)
