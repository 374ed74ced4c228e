"""The failing network itself, before a real Redis."""

import socket
import threading
import timeit

import pytest
import redis

from jobs.redis_access import connect
from tests.chaos.proxy import Direction
from tests.system.patience import eventually


@pytest.fixture
def client(proxy):
    client = connect(f"redis://127.0.0.1:{proxy.port}/0", 20)
    yield client
    client.close()


@pytest.fixture
def hasty(proxy):
    """One that waits for no answer long; it is connected."""
    client = connect(f"redis://127.0.0.1:{proxy.port}/0", 2)
    client.ping()
    yield client
    client.close()


def seconds_of_ping(client):
    """Of the quickest of a few: what else this computer does may be slow, not the network."""
    return min(timeit.repeat(client.ping, number=1, repeat=10))


def test_everything_gets_through_at_first(proxy, client):
    value = bytes(1_000_000)
    client.set("large", value)
    assert client.get("large") == value
    assert proxy.connections == 1


@pytest.mark.parametrize(
    ("direction", "arrives"), [(Direction.TO_TARGET, False), (Direction.TO_CLIENT, True)]
)
def test_a_black_hole_swallows_one_direction(
    proxy, client, hasty, redis_server, direction, arrives
):
    proxy.blackhole(direction)
    with pytest.raises(redis.exceptions.TimeoutError):
        hasty.set("word", "said")
    with redis_server.client() as direct:
        if arrives:
            eventually(lambda: direct.exists("word"))
        assert bool(direct.exists("word")) is arrives

    proxy.restore()
    assert client.ping()


def test_what_was_held_up_arrives_late(proxy, redis_server):
    patient = connect(f"redis://127.0.0.1:{proxy.port}/0", 10)
    patient.ping()
    proxy.blackhole()
    said = threading.Thread(target=patient.set, args=("word", "said"))
    said.start()
    with redis_server.client() as direct:
        assert not direct.exists("word")
        proxy.restore()
        said.join(10)
        assert direct.get("word") == b"said"
    patient.close()


def test_a_new_connection_opens_into_a_black_hole_and_hears_nothing(proxy):
    proxy.blackhole()
    client = connect(f"redis://127.0.0.1:{proxy.port}/0", 0.5)
    with pytest.raises(redis.exceptions.TimeoutError):
        client.ping()
    client.close()


def test_what_is_under_way_is_lost_with_a_cut_connection(proxy, client, hasty, redis_server):
    proxy.blackhole(Direction.TO_TARGET)
    with pytest.raises(redis.exceptions.TimeoutError):
        hasty.set("word", "said")
    proxy.cut()
    proxy.restore()
    assert client.ping()
    with redis_server.client() as direct:
        assert not direct.exists("word")


def test_a_delay_is_added_each_way(proxy, client):
    client.ping()
    proxy.delay(0.1)
    assert 0.2 <= seconds_of_ping(client) < 0.5
    proxy.delay(0, Direction.TO_CLIENT)
    assert 0.1 <= seconds_of_ping(client) < 0.2


def test_a_cut_resets_who_waits_for_an_answer_and_lets_it_connect_again(proxy, client):
    with socket.create_connection(("127.0.0.1", proxy.port), 5) as waiting:
        waiting.sendall(b"PING\r\n")
        assert waiting.recv(100) == b"+PONG\r\n"
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            waiting.recv(100)
    assert client.ping()


def test_who_is_refused_cannot_connect_until_it_ends(proxy, client):
    proxy.refuse()
    for _ in range(2):
        with pytest.raises(redis.exceptions.ConnectionError):
            client.ping()
    proxy.restore()
    assert client.ping()


def test_a_target_that_is_down_is_a_connection_that_closes(proxy, client, redis_server):
    redis_server.kill()
    with pytest.raises(redis.exceptions.ConnectionError):
        client.ping()
    redis_server.start()
    assert client.ping()
