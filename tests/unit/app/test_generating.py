"""Pictures by condition over HTTP."""

from __future__ import annotations

import io
import json
import threading
import time
import zipfile
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from latentbloom.app.limits import Limits
from latentbloom.app.work.picture_files import KEY
from latentbloom.model.generator import Model, load
from served import Served, events_of, serving


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def from_uri(address: str) -> bytes:
    import base64

    head, _, data = address.partition(",")
    assert head == "data:image/png;base64"
    return base64.b64decode(data)


@pytest.fixture(scope="module")
def model(served: Served) -> Model:
    return load(served.run)


def test_one_picture_is_that_of_the_model_to_the_bit(served: Served, model: Model) -> None:
    body = {"cond": {"colour": "red"}, "seed": 5, "indices": [3], "num_steps": 2, "guidance": 2.5}
    answer = served.post("/generate", body)
    assert answer.headers["content-type"] == "image/png"
    expected = model.sample({"colour": "red"}, seed=5, indices=[3], num_steps=2, guidance=2.5)
    assert np.array_equal(pixels(answer.content), expected[0].image)


def test_a_picture_holds_all_that_makes_it_again(served: Served) -> None:
    first = served.post("/generate", {"cond": {"height": "low"}, "seed": 7, "indices": [2]})
    about = json.loads(Image.open(io.BytesIO(first.content)).text[KEY])  # type: ignore[attr-defined]
    assert about["run"] == served.run.name
    body = {name: about[name] for name in ("cond", "seed", "num_steps", "guidance")}
    again = served.post("/generate", {**body, "indices": [about["index"]]})
    assert again.content == first.content


def test_several_pictures_lie_side_by_side(served: Served, model: Model) -> None:
    board = pixels(served.post("/generate", {"count": 3, "quality": "draft"}).content)
    assert board.shape == (2 * model.size, 2 * model.size, 3)
    third = model.sample(n=3, num_steps=4)[2].image
    assert np.array_equal(board[model.size :, : model.size], third)
    assert (board[model.size :, model.size :] == 255).all()


def test_the_stream_tells_how_it_goes(served: Served, model: Model) -> None:
    body = {"cond": [{"colour": "red"}, {"colour": "blue"}], "num_steps": 4}
    with httpx2.stream("POST", f"{served.api}/generate/stream", json=body, timeout=60) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = list(events_of(answer))
    names = [name for name, _ in events]
    assert names[0] == "queued"
    assert names[-1] == "done"
    assert names.index("started") < names.index("preview")
    preview = next(data for name, data in events if name == "preview")
    assert (preview["step"], preview["steps"], len(preview["pictures"])) == (0, 4, 2)
    assert preview["pictures"][0].startswith("data:image/jpeg;base64,")
    expected = model.sample(body["cond"], num_steps=4)
    for one, record in zip(events[-1][1]["pictures"], expected, strict=True):
        assert np.array_equal(pixels(from_uri(one["picture"])), record.image)
        assert one["cond"] == record.cond


def test_near_noise_starts_at_the_picture_and_moves_away(served: Served) -> None:
    own = served.post("/generate", {"indices": [4], "num_steps": 2}).content
    apart = []
    for distance in (0.0, 0.1, 1.0):
        near = {"index": 4, "distance": distance}
        answer = served.post("/generate", {"indices": [0], "num_steps": 2, "near": near}).content
        apart.append(np.abs(pixels(answer).astype(int) - pixels(own)).mean())
    assert apart[0] == 0
    assert 0 < apart[1] < apart[2]


def test_a_zip_holds_every_picture_and_a_list(served: Served) -> None:
    answer = served.post("/generate/zip", {"count": 3, "seed": 2, "quality": "draft"})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        listed = json.loads(archive.read("records.json"))
        named = sorted(one["file"] for one in listed)
        assert [*named, "records.json"] == sorted(archive.namelist())
        alone = served.post("/generate", {"seed": 2, "indices": [1], "quality": "draft"}).content
        assert np.array_equal(pixels(archive.read(listed[1]["file"])), pixels(alone))


def test_a_path_ends_at_the_picture(served: Served) -> None:
    body = {"indices": [1], "num_steps": 3}
    found = served.post("/generate/path", body).json()
    assert len(found["times"]) == len(found["noisy"]) == len(found["clean"]) == 4
    assert found["times"] == sorted(found["times"], reverse=True)
    alone = pixels(served.post("/generate", body).content)
    assert np.array_equal(pixels(from_uri(found["clean"][-1])), alone)


def test_a_film_moves(served: Served) -> None:
    answer = served.post("/generate/gif", {"indices": [1], "num_steps": 3})
    film = Image.open(io.BytesIO(answer.content))
    assert answer.headers["content-type"] == "image/gif"
    assert film.n_frames > 10  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"cond": {"color": "red"}}, "'color' is no condition of this model"),
        ({"cond": {"colour": "rod"}}, "Did you mean red?"),
        ({"count": 65}, "The most is 64"),
        ({"count": 0}, "count: Input should be greater than or equal to 1"),
        ({"num_steps": 201}, "The most is 200"),
        ({"guidance": -1}, "guidance: Input should be greater than or equal to 0"),
        ({"indices": [1, 2], "count": 3}, "indices has 2 entries for 3 pictures"),
        ({"indices": [-1]}, "indices.0"),
        ({"quality": "worst"}, "'draft', 'balanced' or 'best'"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"seed": 2**70}, "seed"),
    ],
)
@pytest.mark.parametrize("path", ["/generate", "/generate/stream"])
def test_what_is_not_allowed_is_said(served: Served, path: str, body: Any, text: str) -> None:
    answer = served.post(path, body)
    assert answer.status_code == 422
    assert text in answer.json()["detail"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"guidance": NaN}', b"\xff\xfe"])
def test_broken_json_is_refused(served: Served, content: bytes) -> None:
    url, kind = f"{served.api}/generate", {"Content-Type": "application/json"}
    assert httpx2.post(url, content=content, headers=kind).status_code in (400, 422)


def test_half_a_surrogate_pair_is_refused_like_any_wrong_word(served: Served) -> None:
    content = b'{"cond": {"colour": "\\ud800"}}'
    url, kind = f"{served.api}/generate", {"Content-Type": "application/json"}
    answer = httpx2.post(url, content=content, headers=kind)
    assert answer.status_code == 422
    assert "is no value of 'colour'" in answer.json()["detail"]


def test_an_unknown_run_is_named(served: Served) -> None:
    answer = httpx2.post(f"{served.address}/api/runs/colored/generate", json={})
    assert answer.status_code == 404
    assert "Did you mean coloured?" in answer.json()["detail"]


def test_a_request_that_takes_too_long_ends(served: Served) -> None:
    with serving(served.run, limits=Limits(seconds=0.3)) as slow:
        slow.post("/generate", {"count": 1, "num_steps": 1})  # the first one loads the model
        answer = slow.post("/generate", {"count": 64, "num_steps": 200})
        assert answer.status_code == 503
        assert "longer than 0.3 s" in answer.json()["detail"]
        assert "retry-after" in answer.headers


def test_who_hangs_up_frees_the_queue(served: Served) -> None:
    body = {"count": 64, "num_steps": 200}
    with httpx2.stream("POST", f"{served.api}/generate/stream", json=body, timeout=60) as answer:
        for name, _ in events_of(answer):
            if name == "started":
                break
    began = time.monotonic()
    while httpx2.get(f"{served.address}/api/queue").json()["running"]:
        assert time.monotonic() - began < 10
        time.sleep(0.05)


def test_a_job_is_cancelled_by_its_owner_alone(served: Served) -> None:
    body = {"count": 64, "num_steps": 200}
    mine = {"Cookie": "latentbloom_session=mine"}
    url = f"{served.api}/generate/stream"
    with httpx2.stream("POST", url, json=body, headers=mine, timeout=60) as answer:
        events = events_of(answer)
        job = next(data["id"] for name, data in events if name == "started")
        cancel = f"{served.address}/api/jobs/{job}"
        other = {"Cookie": "latentbloom_session=other"}
        assert httpx2.delete(cancel, headers=other).status_code == 404
        assert httpx2.delete(cancel, headers=mine).status_code == 204
        assert list(events)[-1][0] == "cancelled"


def test_users_at_once_get_their_own_pictures(served: Served, model: Model) -> None:
    """Four users with seeds of their own, in rounds: nobody gets a picture of another."""
    expected = {user: model.sample(n=2, seed=user, num_steps=4) for user in range(4)}
    wrong: list[str] = []

    def use(user: int) -> None:
        body = {"count": 2, "seed": user, "num_steps": 4}
        with httpx2.Client(
            headers={"Cookie": f"latentbloom_session=user{user}"}, timeout=60
        ) as web:
            for _ in range(3):
                with web.stream("POST", f"{served.api}/generate/stream", json=body) as answer:
                    events = list(events_of(answer))
                if events[-1][0] != "done":
                    wrong.append(f"user {user}: {events[-1]}")
                    continue
                for one, record in zip(events[-1][1]["pictures"], expected[user], strict=True):
                    if not np.array_equal(pixels(from_uri(one["picture"])), record.image):
                        wrong.append(f"user {user} got another picture")

    users = [threading.Thread(target=use, args=(user,)) for user in range(4)]
    for user in users:
        user.start()
    for user in users:
        user.join(timeout=60)
    assert wrong == []
