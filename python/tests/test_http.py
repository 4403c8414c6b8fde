"""urllib3, requests and httpx: a turn for each attempt, and `Retry-After` holds."""

import asyncio
import pickle

import pytest
from support import fast_registry, in_threads, limits, released

import apiqueue

urllib3 = pytest.importorskip("urllib3", reason="urllib3 is not installed")
requests = pytest.importorskip("requests", reason="requests is not installed")
httpx = pytest.importorskip("httpx", reason="httpx is not installed")

import apiqueue.httpx  # noqa: E402
import apiqueue.requests  # noqa: E402
import apiqueue.urllib3  # noqa: E402

NO_CONTENT = (200, {}, b"")
BUSY = (429, {"Retry-After": "1"}, b"")
GONE = (None, {}, b"")


def retry(**more):
    more.setdefault("total", 4)
    return urllib3.Retry(status_forcelist=[429, 500, 503], backoff_factor=0, respect_retry_after_header=False, **more)


def by_urllib3(to, **more):
    http = apiqueue.urllib3.pace(urllib3.PoolManager(timeout=30, **more), to)
    return lambda url: http.request("GET", url).status


def by_requests(to, max_retries=0, **more):
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", apiqueue.requests.Adapter(to, max_retries=max_retries, **more))
    return lambda url: session.get(url).status_code


def by_httpx(to):
    client = httpx.Client(transport=apiqueue.httpx.Transport(to), follow_redirects=True)
    return lambda url: client.get(url).status_code


def by_httpx_async(to):
    async def get(url):
        async with httpx.AsyncClient(transport=apiqueue.httpx.AsyncTransport(to), follow_redirects=True) as client:
            return (await client.get(url)).status_code

    return lambda url: asyncio.run(get(url))


CLIENTS = [by_urllib3, by_requests, by_httpx, by_httpx_async]


@pytest.fixture(params=CLIENTS, ids=lambda it: it.__name__[3:])
def make(request):
    return request.param


def test_a_request_takes_a_turn_of_its_host(make, scripted):
    server = scripted()
    registry = fast_registry()
    get = make(registry)
    assert [get(server.url), get(server.url + "/x")] == [200, 200]
    assert released(registry) == {"127.0.0.1": 2}


def test_an_unlimited_host_is_not_paced(make, scripted):
    server = scripted()
    registry = apiqueue.Registry(limits("[default]\nunlimited = true\n"))
    assert make(registry)(server.url) == 200
    assert released(registry) == {}


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_holds_the_queue(status, make, scripted):
    server = scripted((status, {"Retry-After": "1"}, b""))
    more = {"retries": False} if make is by_urllib3 else {}
    get = make(apiqueue.ApiQueue(per_second=1000, burst=1000), **more)
    assert [get(server.url), get(server.url)] == [status, 200]
    assert server.gaps()[0] >= 0.99


def test_an_error_that_is_no_throttle_holds_nothing(make, scripted):
    server = scripted((500, {}, b""), (404, {}, b""), (403, {}, b""))
    queue = apiqueue.ApiQueue(per_second=1000, burst=1000)
    get = make(queue)
    assert [get(server.url) for _ in range(3)] == [500, 404, 403]
    assert queue.try_turn() is not None


def test_a_redirect_takes_a_turn_too(make, scripted):
    server = scripted((302, {"Location": "/there"}, b""))
    registry = fast_registry()
    assert make(registry)(server.url) == 200
    assert len(server.requests) == 2
    assert released(registry) == {"127.0.0.1": 2}


def test_a_stopped_queue_raises_and_sends_nothing(make, scripted):
    server = scripted()
    queue = apiqueue.ApiQueue(per_second=1000)
    get = make(queue)
    assert get(server.url) == 200
    queue.stop()
    with pytest.raises(apiqueue.Closed):
        get(server.url)
    assert len(server.requests) == 1


def test_an_attempt_that_fails_is_over(make):
    queue = apiqueue.ApiQueue(per_second=1000, burst=10, at_once=1)
    more = {"retries": urllib3.Retry(3)} if make is by_urllib3 else {}
    get = make(queue, **more)
    for _ in range(2):
        with pytest.raises(Exception, match="(?i)refused|failed"):
            get("http://127.0.0.1:9/")
    assert queue.try_turn() is not None


@pytest.mark.parametrize("make", [by_urllib3, by_requests], ids=["urllib3", "requests"])
@pytest.mark.parametrize("failing", [BUSY, (500, {}, b""), GONE], ids=["429", "500", "closed"])
def test_each_retry_of_urllib3_takes_a_turn(failing, make, scripted):
    server = scripted(failing, failing)
    registry = fast_registry()
    get = make(registry, **({"retries": retry()} if make is by_urllib3 else {"max_retries": retry()}))
    assert get(server.url) == 200
    assert len(server.requests) == 3
    assert released(registry) == {"127.0.0.1": 3}


@pytest.mark.parametrize("make", [by_urllib3, by_requests], ids=["urllib3", "requests"])
def test_retries_beside_a_limit_of_calls_under_way_do_not_wait_for_themselves(make, scripted):
    server = scripted((500, {}, b""), GONE, (503, {"Retry-After": "0"}, b""))
    queue = apiqueue.ApiQueue(per_second=1000, at_once=1)
    get = make(queue, **({"retries": retry()} if make is by_urllib3 else {"max_retries": retry()}))
    assert get(server.url) == 200
    assert len(server.requests) == 4


@pytest.mark.parametrize("make", [by_urllib3, by_requests], ids=["urllib3", "requests"])
def test_the_hold_of_one_thread_s_answer_is_for_all(make, scripted):
    server = scripted(BUSY)
    get = make(
        apiqueue.ApiQueue(per_second=1000, burst=1000),
        **({"retries": retry()} if make is by_urllib3 else {"max_retries": retry()}),
    )
    assert get(server.url) == 200
    assert in_threads(5, lambda: get(server.url)) == []
    assert len(server.requests) == 7
    assert server.gaps()[0] >= 0.99


def test_a_key_of_one_s_own(scripted):
    server = scripted()
    registry = fast_registry()
    http = apiqueue.urllib3.pace(urllib3.PoolManager(), registry, key=lambda method, host: f"{host}/{method}")
    http.request("POST", server.url)
    client = httpx.Client(transport=apiqueue.httpx.Transport(registry, key=lambda method, host: f"{host}/{method}"))
    client.get(server.url)
    assert released(registry) == {"127.0.0.1/POST": 1, "127.0.0.1/GET": 1}


def test_a_manager_that_had_pools_already_is_paced_and_paced_anew(scripted):
    server = scripted()
    http = urllib3.PoolManager()
    http.request("GET", server.url)
    first, second = fast_registry(), fast_registry()
    apiqueue.urllib3.pace(http, first).request("GET", server.url)
    apiqueue.urllib3.pace(http, second).request("GET", server.url)
    assert (released(first), released(second)) == ({"127.0.0.1": 1}, {"127.0.0.1": 1})
    urllib3.PoolManager().request("GET", server.url)
    assert released(second) == {"127.0.0.1": 1}, "others are not"


def test_a_proxy_is_paced_too(scripted):
    proxy = scripted()
    registry = fast_registry()
    session = requests.Session()
    session.mount("http://", apiqueue.requests.Adapter(registry))
    session.get("http://api.example.com/", proxies={"http": proxy.url})
    http = apiqueue.urllib3.pace(urllib3.ProxyManager(proxy.url), registry)
    http.request("GET", "http://api.example.com/")
    assert len(proxy.requests) == 2
    assert sum(released(registry).values()) == 2


def test_a_stream_is_under_way_until_its_head_has_come(scripted):
    server = scripted((200, {}, b"one"), (200, {}, b"two"))
    queue = apiqueue.ApiQueue(per_second=1000, at_once=1)
    client = httpx.Client(transport=apiqueue.httpx.Transport(queue))
    with client.stream("GET", server.url) as first, client.stream("GET", server.url) as second:
        assert (second.read(), first.read()) == (b"two", b"one")
    http = apiqueue.urllib3.pace(urllib3.PoolManager(), queue)
    one, two = (http.request("GET", server.url, preload_content=False) for _ in range(2))
    assert (one.status, two.status) == (200, 200)


def test_a_cancelled_request_leaves_the_line(scripted):
    server = scripted()
    queue = apiqueue.ApiQueue(per_second=1000, burst=10)
    queue.start()
    queue.hold_for(3600)

    async def main():
        async with httpx.AsyncClient(transport=apiqueue.httpx.AsyncTransport(queue)) as client:
            task = asyncio.ensure_future(client.get(server.url))
            while len(queue) == 0:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert queue.stats().cancelled == 1
            queue.resume()
            await client.get(server.url)

    asyncio.run(main())
    assert len(server.requests) == 1


def test_what_is_no_queue_is_refused():
    for make in (
        lambda: apiqueue.urllib3.pace(urllib3.PoolManager(), 3),
        lambda: apiqueue.requests.Adapter(3),
        lambda: apiqueue.httpx.Transport(3),
        lambda: apiqueue.httpx.AsyncTransport(3),
    ):
        with pytest.raises(TypeError, match="to=3: may be an ApiQueue"):
            make()
    with pytest.raises(TypeError, match="manager=3: may be a urllib3.PoolManager"):
        apiqueue.urllib3.pace(3, fast_registry())
    with pytest.raises(TypeError, match="give a Registry"):
        apiqueue.httpx.Transport(apiqueue.ApiQueue(per_second=1), key=lambda method, host: host)


def test_a_session_with_a_queue_can_t_be_pickled_and_says_so():
    session = requests.Session()
    session.mount("http://", apiqueue.requests.Adapter(apiqueue.ApiQueue(per_second=1)))
    with pytest.raises(TypeError):
        pickle.dumps(session)


def test_headers_that_are_nonsense_do_not_break_a_request(make, scripted):
    server = scripted(
        (429, {"Retry-After": "soon", "Date": "yesterday", "X-Ratelimit-Remaining": "\xff"}, b""), NO_CONTENT
    )
    queue = apiqueue.ApiQueue(per_second=1000, burst=1000)
    more = {"retries": False} if make is by_urllib3 else {}
    assert make(queue, **more)(server.url) == 429
    assert queue.try_turn() is None, "held for a second"
