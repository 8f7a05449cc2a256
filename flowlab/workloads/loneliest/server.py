"""The site: a real web server of airports, with a login form, on the loopback interface.

Here is what it answers and how slowly. Not here: how its process is started and ended (serving). Invariant: every
random draw is keyed by (seed, route and country or item, attempt in that session) and never by the order of arrival, so
that any strategy meets the same site.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from hashlib import blake2b

from aiohttp import hdrs, web

from flowlab.workloads.loneliest import airports, pages
from flowlab.workloads.loneliest.feeds import Feed
from flowlab.workloads.loneliest.options import SiteOptions

HOST = "127.0.0.1"
VISITOR = "flowlab_visitor"
SESSION = "flowlab_session"
VISITORS_KEPT = 10_000
TOKENS_KEPT = 16
SLICE_S = 0.02

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def draw(seed: int, what: str, route: str, country: str, attempt: int) -> float:
    """Return a number in [0, 1) that depends on the key alone.

    >>> draw(7, "error", "csv", "CL", 1) == draw(7, "error", "csv", "CL", 1) != draw(7, "error", "csv", "CL", 2)
    True
    """
    key = f"{seed}|{what}|{route}|{country}|{attempt}"
    return int.from_bytes(blake2b(key.encode(), digest_size=7).digest(), "big") / 2**56


class Visitor:
    """Somebody with our cookie: the tokens of the forms they were shown, and how often they asked for what."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.attempts: Counter[tuple[str, str]] = Counter()

    def new_token(self) -> str:
        """Return a fresh token, good for one form."""
        self.tokens = [*self.tokens[1 - TOKENS_KEPT :], secrets.token_urlsafe(24)]
        return self.tokens[-1]

    def use_token(self, token: str) -> bool:
        """Return whether the token was good; it no longer is."""
        good = token in self.tokens
        self.tokens = [other for other in self.tokens if other != token]
        return good


class Visitors:
    """Visitors by cookie; the one not seen for longest is forgotten first."""

    def __init__(self) -> None:
        self.known: OrderedDict[str, Visitor] = OrderedDict()

    def get(self, cookie: str | None) -> Visitor | None:
        """Return the visitor with this cookie."""
        if cookie is None or cookie not in self.known:
            return None
        self.known.move_to_end(cookie)
        return self.known[cookie]

    def add(self) -> tuple[str, Visitor]:
        """Return a new visitor and their cookie."""
        cookie = secrets.token_urlsafe(24)
        self.known[cookie] = visitor = Visitor()
        while len(self.known) > VISITORS_KEPT:
            self.known.popitem(last=False)
        return cookie, visitor


class Site:
    """The application and what it remembers."""

    def __init__(self, options: SiteOptions) -> None:
        self.options = options
        self.countries = airports.load()
        sizes = {code: len(entries) for code, entries in self.countries.items()}
        order = [*airports.survey_order(sizes), *sorted(airports.BY_NAME_ONLY)]
        self.index = pages.index_page([(code, sizes[code]) for code in order])
        self.tables: dict[str, str] = {}
        self.feed = Feed(options.feed_items, options.feed_bytes, options.seed)
        self.visitors = Visitors()
        self.sessions = Visitors()
        self.places = asyncio.Semaphore(options.capacity) if options.capacity else None

    def application(self) -> web.Application:
        """Return the application, ready to serve."""
        application = web.Application(middlewares=[self.admit], client_max_size=2**14)
        application.add_routes(
            [
                web.get("/", self.home, name="home"),
                web.get("/login", self.login_form, name="login-form"),
                web.post("/login", self.login, name="login"),
                web.get("/countries", self.show_index, name="index"),
                web.get("/countries/{country:[A-Z]{2}}", self.show_country, name="country"),
                web.get("/downloads/{country:[A-Z]{2}}-{key:[0-9a-f]+}.csv", self.download, name="csv"),
                web.get("/feed", self.show_feed, name="feed"),
                web.get("/feed/{item:[0-9]{1,7}}", self.show_item, name="item"),
            ]
        )
        return application

    @web.middleware
    async def admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request: know the visitor, wait as told, fail as drawn, else let the handler answer."""
        new_cookie, visitor = None, self.visitors.get(request.cookies.get(VISITOR))
        if visitor is None:
            new_cookie, visitor = self.visitors.add()
        request["visitor"] = visitor
        session = request["session"] = self.sessions.get(request.cookies.get(SESSION))
        asked = request.match_info
        place = (asked.route.name or "", asked.get("country") or asked.get("item", ""))
        counted = session or visitor
        counted.attempts[place] += 1
        attempt = counted.attempts[place]
        async with AsyncExitStack() as stack:
            if self.places is not None:
                await stack.enter_async_context(self.places)
            await asyncio.sleep(self.wait_s(*place, attempt))
            response = self.failure(*place, attempt) or await handler(request)
            if new_cookie:
                set_cookie(response, VISITOR, new_cookie)
            # Sent from here, not by aiohttp afterwards, so that the place is taken until the last byte has gone.
            await response.prepare(request)
            await response.write_eof()
        return response

    def wait_s(self, route: str, country: str, attempt: int) -> float:
        """Return how long this request waits."""
        share = draw(self.options.seed, "jitter", route, country, attempt)
        return (self.options.latency_ms + share * self.options.jitter_ms) / 1000

    def failure(self, route: str, country: str, attempt: int) -> web.Response | None:
        """Return the failure drawn for this request, if any."""
        options = self.options
        if draw(options.seed, "throttle", route, country, attempt) < options.throttle_rate:
            response = self.answer(pages.notice_page("Too many requests", "Please come back later."), 429)
            response.headers[hdrs.RETRY_AFTER] = str(options.retry_after_s)
            return response
        if draw(options.seed, "error", route, country, attempt) < options.error_rate:
            return self.answer(pages.notice_page("Service unavailable", "Please try again."), 503)
        return None

    def answer(self, text: str, status: int = 200, content_type: str = "text/html") -> web.Response:
        """Return a text as a response."""
        return self.send(text.encode(), status, f"{content_type}; charset=utf-8")

    def send(self, data: bytes, status: int, content_type: str) -> web.Response:
        """Return a response that is sent no faster than the bandwidth allows."""
        rate = self.options.bandwidth_bytes_s
        body = data if rate is None else paced(data, rate)
        headers = {hdrs.CONTENT_LENGTH: str(len(data)), hdrs.CONTENT_TYPE: content_type}
        return web.Response(body=body, status=status, headers=headers)

    async def home(self, request: web.Request) -> web.StreamResponse:
        """Send visitors to where they can go on."""
        return redirect("/countries" if request["session"] else "/login")

    async def login_form(self, request: web.Request) -> web.StreamResponse:
        """Show the login form."""
        return self.answer(pages.login_page(request["visitor"].new_token()))

    async def login(self, request: web.Request) -> web.StreamResponse:
        """Log in: the token must be the visitor's own and unused, and without `remember` no session begins."""
        form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        visitor: Visitor = request["visitor"]
        if not visitor.use_token(form.get("authenticity_token", "")):
            return self.refuse(
                "The form's authenticity token is missing, used already or not yours: open the form again."
            )
        given = f"{form.get('user', '')}\n{form.get('password', '')}"
        if not hmac.compare_digest(given.encode(), f"{self.options.user}\n{self.options.password}".encode()):
            return self.answer(pages.login_page(visitor.new_token(), "Wrong user or password."), 401)
        response = redirect("/countries")
        if form.get("remember"):
            cookie, _ = self.sessions.add()
            set_cookie(response, SESSION, cookie)
        return response

    async def show_index(self, request: web.Request) -> web.StreamResponse:
        """Show the list of countries."""
        return self.answer(self.index) if request["session"] else self.refuse()

    async def show_country(self, request: web.Request) -> web.StreamResponse:
        """Show a country's airports."""
        code = request.match_info["country"]
        if request["session"] is None:
            return self.refuse()
        if code not in self.countries:
            return self.answer(pages.notice_page("Not found", "There is no such country."), 404)
        if code not in self.tables:
            self.tables[code] = pages.airports_table(self.countries[code])
        return self.answer(pages.country_page(code, self.tables[code], f"/downloads/{self.csv_name(request, code)}"))

    async def download(self, request: web.Request) -> web.StreamResponse:
        """Send a country's airports as CSV, to the session whose page named it."""
        code = request.match_info["country"]
        if request["session"] is None:
            return self.refuse()
        asked = f"{code}-{request.match_info['key']}.csv"
        if code not in self.countries or not hmac.compare_digest(asked, self.csv_name(request, code)):
            return self.answer(
                pages.notice_page("Not found", "There is no such file: its country's page links it."), 404
            )
        response = self.answer(airports.write_csv(self.countries[code]), content_type="text/csv")
        response.headers[hdrs.CONTENT_DISPOSITION] = f'attachment; filename="{code}.csv"'
        return response

    async def show_feed(self, request: web.Request) -> web.StreamResponse:
        """Say how many items the feed has, and how large each is."""
        if request["session"] is None:
            return self.refuse()
        return self.answer(self.feed.index(), content_type="application/json")

    async def show_item(self, request: web.Request) -> web.StreamResponse:
        """Send one item of the feed."""
        if request["session"] is None:
            return self.refuse()
        number = int(request.match_info["item"])
        if number >= self.feed.items:
            return self.answer(pages.notice_page("Not found", "The feed has no such item."), 404)
        return self.send(self.feed.item(number), 200, "application/octet-stream")

    def csv_name(self, request: web.Request, code: str) -> str:
        """Return the name of a country's CSV download, which only the session's own page tells."""
        key = f"{self.options.seed}|{request.cookies[SESSION]}".encode()
        return f"{code}-{hmac.new(key, code.encode(), 'sha256').hexdigest()[:24]}.csv"

    def refuse(self, text: str = "This page is for those who are logged in.") -> web.Response:
        """Return a 403."""
        return self.answer(pages.notice_page("Forbidden", text), 403)


async def paced(data: bytes, rate_bytes_s: float) -> AsyncIterator[bytes]:
    """Yield data in slices, so that they leave at the given rate."""
    clock = asyncio.get_running_loop().time
    started, step = clock(), max(1, int(rate_bytes_s * SLICE_S))
    for sent in range(0, len(data), step):
        chunk = data[sent : sent + step]
        await asyncio.sleep(started + (sent + len(chunk)) / rate_bytes_s - clock())
        yield chunk


def redirect(path: str) -> web.Response:
    """Return a 303 to another page."""
    return web.Response(status=303, headers={hdrs.LOCATION: path, hdrs.CONTENT_LENGTH: "0"})


def set_cookie(response: web.StreamResponse, name: str, value: str) -> None:
    """Set a cookie that scripts and other sites cannot use."""
    response.set_cookie(name, value, httponly=True, samesite="Lax", path="/")
