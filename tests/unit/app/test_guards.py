"""What reaches the app, and what every answer says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx2
import pytest

from latentbloom.app.hosts import allowed_hosts, is_loopback, parse_auth
from latentbloom.app.limits import Limits
from latentbloom.errors import ConfigError
from served import Served, serving

BODY = {"count": 1, "quality": "draft"}


class TestHost:
    """Another site's name that points to this machine must not work."""

    @pytest.mark.parametrize("host", ["localhost:{port}", "127.0.0.1:{port}", "127.0.0.1", "[::1]"])
    def test_own_names_are_answered(self, served: Served, host: str) -> None:
        named = host.format(port=served.address.rpartition(":")[2])
        assert httpx2.get(served.address, headers={"Host": named}).status_code == 200

    @pytest.mark.parametrize(
        "host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "10.0.0.7", "a:b:c"]
    )
    def test_other_names_are_not(self, served: Served, host: str) -> None:
        answer = httpx2.get(f"{served.address}/api/runs", headers={"Host": host})
        assert answer.status_code == 421
        assert "does not answer to the name" in answer.json()["detail"]

    def test_addresses_are_answered_where_others_may_come(self, served_run: Path) -> None:
        with serving(
            served_run, host="0.0.0.0", auth=("a", "b"), more_hosts=["Flowers.example"]
        ) as s:
            for host, code in (("10.0.0.7", 401), ("flowers.example", 401), ("evil.example", 421)):
                assert httpx2.get(s.address, headers={"Host": host}).status_code == code

    def test_loopback(self) -> None:
        assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.8.8.8", "::1")))
        assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.7", "example.org", "")))
        assert "example.org" in allowed_hosts("127.0.0.1", ["example.org"])


class TestOrigin:
    """A page of another site must not make this server compute, or read what it answers."""

    @pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", ""])
    def test_foreign_posts_are_refused(self, served: Served, origin: str) -> None:
        answer = served.post("/generate", BODY, headers={"Origin": origin})
        assert answer.status_code == 403
        assert answer.json() == {"detail": "Another site sent this request. It was refused."}

    def test_own_posts_and_those_of_programs_are_answered(self, served: Served) -> None:
        assert served.post("/generate", BODY).status_code == 200
        own = {"Origin": served.address, "Sec-Fetch-Site": "same-origin"}
        assert served.post("/generate", BODY, headers=own).status_code == 200

    def test_what_browsers_say_of_the_sender_counts(self, served: Served) -> None:
        foreign = {"Sec-Fetch-Site": "cross-site"}
        assert served.post("/generate", BODY, headers=foreign).status_code == 403
        assert (
            served.get("/map", headers={**foreign, "Sec-Fetch-Mode": "no-cors"}).status_code == 403
        )
        link = {**foreign, "Sec-Fetch-Mode": "navigate"}
        assert httpx2.get(served.address, headers=link).status_code == 200

    def test_a_job_is_not_cancelled_from_elsewhere(self, served: Served) -> None:
        url = f"{served.address}/api/jobs/x"
        assert httpx2.delete(url, headers={"Origin": "http://evil.example"}).status_code == 403
        assert httpx2.delete(url).status_code == 404


class TestPassword:
    @pytest.fixture(scope="class")
    def locked(self, served_run: Path) -> Iterator[Served]:
        with serving(served_run, auth=("anna", "s:cret")) as found:
            yield found

    @pytest.mark.parametrize(
        "path", ["/", "/docs", "/openapi.json", "/api/runs", "/static/app.css"]
    )
    def test_everything_needs_it(self, locked: Served, path: str) -> None:
        answer = httpx2.get(locked.address + path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic")
        assert httpx2.get(locked.address + path, auth=("anna", "s:cret")).status_code == 200

    @pytest.mark.parametrize("auth", [("anna", "secret"), ("anna", ""), ("", ""), ("ä", "ö")])
    def test_another_is_refused(self, locked: Served, auth: tuple[str, str]) -> None:
        assert httpx2.get(locked.address, auth=auth).status_code == 401

    @pytest.mark.parametrize("header", ["Basic", "Basic !", "Bearer abc", "Basic YQ=", "x" * 999])
    def test_broken_headers_are_refused(self, locked: Served, header: str) -> None:
        answer = httpx2.get(locked.address, headers={"Authorization": header})
        assert answer.status_code == 401

    def test_other_hosts_need_one(self) -> None:
        with pytest.raises(ConfigError, match="--host is 0.0.0.0.*Give --auth user:password"):
            parse_auth(None, "0.0.0.0")
        assert parse_auth(None, "127.0.0.1") is None
        assert parse_auth("a:b:c", "0.0.0.0") == ("a", "b:c")

    @pytest.mark.parametrize("text", ["anna", "anna:", ":secret", ""])
    def test_both_parts_are_needed(self, text: str) -> None:
        with pytest.raises(ConfigError, match="must be user:password"):
            parse_auth(text, "127.0.0.1")


class TestSize:
    @pytest.fixture(scope="class")
    def small(self, served_run: Path) -> Iterator[Served]:
        with serving(served_run, limits=Limits(json_bytes=1000, upload_bytes=1000)) as found:
            yield found

    def test_large_bodies_are_refused_by_their_header(self, small: Served) -> None:
        answer = small.post("/generate", {"cond": {"colour": "x" * 2000}})
        assert answer.status_code == 413
        assert "larger than" in answer.json()["detail"]

    def test_and_where_the_header_says_nothing(self, small: Served) -> None:
        def parts() -> Iterator[bytes]:
            for _ in range(50):
                yield b'{"count": 1, "x": "' + b"x" * 1000

        url = f"{small.api}/generate"
        kind = {"Content-Type": "application/json"}
        answer = httpx2.post(url, content=parts(), headers=kind, timeout=30)
        assert answer.status_code == 400

    def test_large_files_are_refused(self, small: Served) -> None:
        files = {"picture": ("a.png", b"x" * 100_000)}
        answer = httpx2.post(f"{small.api}/edit/fit", files=files, timeout=30)
        assert answer.status_code == 413
        nearly = {"picture": ("a.png", b"x" * 30_000)}
        answer = httpx2.post(f"{small.api}/edit/fit", files=nearly, timeout=30)
        assert answer.status_code == 422
        assert "The most that is allowed is" in answer.json()["detail"]


class _Inline(HTMLParser):
    """Finds what a policy without inline scripts would block, and addresses elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if tag == "style" or (tag == "script" and not known.get("src")):
            self.found.append(tag)
        self.found += [name for name in known if name == "style" or name.startswith("on")]
        for name in ("src", "href"):
            if re.match(r"(\w+:)?//", known.get(name) or ""):
                self.found.append(known[name] or "")


class TestHeaders:
    @pytest.mark.parametrize("path", ["/", "/docs", "/api/runs", "/static/js/main.js", "/nowhere"])
    def test_every_answer_has_them(self, served: Served, path: str) -> None:
        headers = httpx2.get(served.address + path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"

    @pytest.mark.parametrize("path", ["/", "/docs"])
    def test_pages_have_nothing_inline_and_nothing_from_elsewhere(
        self, served: Served, path: str
    ) -> None:
        page = _Inline()
        page.feed(httpx2.get(served.address + path).text)
        assert page.found == []

    def test_the_report_is_in_a_sandbox(self, served: Served) -> None:
        answer = httpx2.get(f"{served.address}/runs/{served.run.name}/report", timeout=30)
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert "sandbox allow-scripts" in policy
        assert "script-src 'sha256-" in policy
        assert "default-src 'none'" in policy

    def test_a_session_is_known_by_a_cookie_that_scripts_cannot_read(self, served: Served) -> None:
        cookie = httpx2.get(served.address).headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "set-cookie" not in httpx2.get(f"{served.address}/api/runs").headers

    def test_no_path_leads_out_of_the_static_folder(self, served: Served) -> None:
        for path in ("/static/../server.py", "/static/%2e%2e/server.py", "/static/..%2fserver.py"):
            assert httpx2.get(served.address + path).status_code == 404
