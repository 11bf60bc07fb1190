"""Who may come in, and what may be opened: over HTTP, on an application in this process."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("nicegui", reason="the server needs hiprobe[serve]")

from fastapi.testclient import TestClient
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocketDisconnect

from hiprobe.errors import UsageError, VideoError
from hiprobe.features import FeatureStore
from hiprobe.server.access import Access, Guard
from hiprobe.server.media import plays_as
from hiprobe.server.project import Settings
from hiprobe.server.safety import AllowedFolders, check_video, safe_name
from hiprobe.server.service import Service, open_service
from hiprobe.video import open_video
from tests.fakes import FakeBackbone
from tests.serving import API, HOME, client, wait_for
from tests.videos import write_video

TOKEN = "a token of some length"


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("video") / "clip.mp4", 20, fps=10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


@pytest.fixture
def service(folder: Path) -> Iterator[Service]:
    with open_service(Settings(folder, max_upload=100_000), FakeBackbone(), FeatureStore(folder / "f")) as found:
        yield found


@pytest.fixture
def web(service: Service) -> TestClient:
    return client(service)


@pytest.fixture
def guarded(service: Service) -> TestClient:
    return client(service, TOKEN)


# Paths


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file, links that lead out of it, and a neighbour whose name begins as its own."""
    root = tmp_path_factory.mktemp("paths")
    for name in ("yard", "yard-private"):
        (root / name).mkdir()
        (root / name / "a.mp4").write_bytes(b"video")
    (root / "secret.mp4").write_bytes(b"secret")
    (root / "yard" / "out").symlink_to(root)
    (root / "yard" / "secret-link.mp4").symlink_to(root / "secret.mp4")
    (root / "yard" / "ring").symlink_to(root / "yard" / "ring")
    return root / "yard"


PIECES = [
    "..",
    ".",
    "",
    "a.mp4",
    "out",
    "secret-link.mp4",
    "ring",
    "yard",
    "yard-private",
    "%2e%2e",
    "..%2f",
    "\0",
    "~",
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(
    pieces=st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=8),
    start=st.sampled_from(["", "/", "yard/../", "\\", "//"]),
    joint=st.sampled_from(["/", "//", "\\", "/./"]),
)
def test_no_path_leads_out_of_the_folder(yard: Path, pieces: list[str], start: str, joint: str) -> None:
    allowed = AllowedFolders([yard])
    given_path = start + joint.join(pieces)
    try:
        found = allowed.resolve(given_path)
    except UsageError:
        return
    real = Path(os.path.realpath(found))
    assert real == found and os.path.commonpath([real, yard.resolve()]) == str(yard.resolve())


@pytest.mark.parametrize(
    "path",
    ["../secret.mp4", "out/secret.mp4", "secret-link.mp4", "../yard-private/a.mp4", "/etc/passwd", "a.mp4\0", "ring"],
)
def test_what_is_outside_and_what_is_missing_get_one_answer(yard: Path, path: str) -> None:
    allowed = AllowedFolders([yard])
    assert allowed.resolve("a.mp4") == yard.resolve() / "a.mp4"
    said = []
    for attempt in (path, "nothing.mp4"):
        with pytest.raises(UsageError) as caught:
            allowed.resolve(attempt)
        said.append(str(caught.value).replace(repr(attempt), "PATH"))
    assert said[0] == said[1]


def test_a_link_that_takes_the_place_of_a_video_is_not_followed(
    service: Service, folder: Path, video: Path, tmp_path: Path
) -> None:
    shutil.copy(video, folder / "a.mp4")
    shutil.copy(video, tmp_path / "secret.mp4")
    number = service.library.add("a.mp4").id
    (folder / "a.mp4").unlink()
    (folder / "a.mp4").symlink_to(tmp_path / "secret.mp4")
    assert client(service).get(f"{API}/videos/{number}/media").status_code == 422


def test_a_playlist_that_names_other_files_is_no_video(tmp_path: Path, video: Path) -> None:
    for name, text in {
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:2,\n{video}\n#EXT-X-ENDLIST\n",
        "list.ffconcat": f"ffconcat version 1.0\nfile '{video.name}'\n",
        "list.mp4": f"ffconcat version 1.0\nfile '{video.name}'\n",
    }.items():
        path = tmp_path / name
        path.write_text(text)
        shutil.copy(video, tmp_path / video.name)
        with pytest.raises(VideoError, match="is no video of a kind that is taken"):
            check_video(path)


def test_frames_of_a_size_that_fills_the_memory_are_not_decoded(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hiprobe.server.safety.MOST_PIXELS", 80 * 48 - 1)
    monkeypatch.setattr("hiprobe.server.safety.open_video", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(VideoError, match="has frames of 3840 pixels"):
        check_video(video)


@given(st.text(max_size=400))
def test_a_safe_name_is_one_name_that_any_system_takes(text: str) -> None:
    name = safe_name(text)
    assert name and name == Path(name).name and not name.startswith(".") and "\\" not in name
    assert len(name.encode()) <= 120 + 40 and name.isprintable()
    assert safe_name(name) == name


# Uploads


def left_over(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "uploads").iterdir())


def test_an_upload_is_taken_by_its_content_and_never_over_another(web: TestClient, folder: Path, video: Path) -> None:
    for expected in ("passwd", "passwd-2"):
        answer = web.post(f"{API}/uploads", params={"name": "../../etc/passwd"}, content=video.read_bytes())
        assert (answer.status_code, answer.json()["name"]) == (201, expected)
    assert left_over(folder) == ["passwd", "passwd-2"]
    number = answer.json()["id"]
    # Its name may say anything, so the media type does not come of it.
    media = web.get(f"{API}/videos/{number}/media")
    assert media.headers["content-type"] == "video/mp4" and media.headers["x-content-type-options"] == "nosniff"
    assert web.delete(f"{API}/videos/{number}").status_code == 204
    assert left_over(folder) == ["passwd"]


@pytest.mark.parametrize("content", [b"", b"<html><script>alert(1)</script>" * 50, b"\x00" * 5000])
def test_what_does_not_decode_is_refused_whatever_it_is_called(web: TestClient, folder: Path, content: bytes) -> None:
    answer = web.post(f"{API}/uploads", params={"name": "film.mp4"}, content=content)
    assert answer.status_code == 422 and left_over(folder) == []
    assert web.get(f"{API}/videos").json() == []


def test_an_upload_that_is_too_large_is_refused_and_leaves_nothing(web: TestClient, folder: Path) -> None:
    assert web.post(f"{API}/uploads?name=a.mp4", content=b"x" * 100_001).status_code == 413

    def chunks() -> Iterator[bytes]:  # without a length in the head
        for _ in range(11):
            yield b"x" * 10_000

    assert web.post(f"{API}/uploads?name=a.mp4", content=chunks()).status_code == 413
    assert left_over(folder) == []


def test_other_requests_are_small(web: TestClient) -> None:
    assert web.post(f"{API}/videos", content=b"x" * (1 << 20 | 1)).status_code == 413
    unannounced = (b"x" * (1 << 18) for _ in range(5))
    assert web.post(f"{API}/videos", content=unannounced).status_code == 413


# Who may come in


def test_the_host_must_be_this_machine_where_there_is_no_token(web: TestClient) -> None:
    assert web.get(f"{API}/videos").status_code == 200
    for host in ("evil.example", "127.0.0.1.evil.example", "evil.example:8080", "", "[::1", "localhost.evil.example"):
        assert web.get(f"{API}/videos", headers={"Host": host}).status_code == 403
    for host in ("localhost:8080", "[::1]:8080", "127.0.0.1"):
        assert web.get(f"{API}/videos", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": ""},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_pages_of_other_sites_change_nothing(web: TestClient, guarded: TestClient, headers: dict[str, str]) -> None:
    for found, extra in ((web, {}), (guarded, {"Authorization": f"Bearer {TOKEN}"})):
        assert found.post(f"{API}/refits", headers=headers | extra).status_code == 403
        assert found.delete(f"{API}/labels/1", headers=headers | extra).status_code == 403
        with pytest.raises(WebSocketDisconnect), found.websocket_connect("/socket", headers=headers | extra):
            pass
    own = {"Origin": HOME, "Sec-Fetch-Site": "same-origin"}
    assert web.delete(f"{API}/labels/1", headers=own).status_code == 404


def test_answers_carry_no_cors_and_may_not_be_framed(web: TestClient) -> None:
    assert web.get(f"{API}/videos", headers={"Origin": "http://evil.example"}).status_code == 403
    answer = web.get(f"{API}/videos", headers={"Sec-Fetch-Site": "cross-site"})  # a link
    assert answer.status_code == 200
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    preflight = web.options(f"{API}/videos", headers={"Access-Control-Request-Method": "POST"})
    assert preflight.is_client_error and not [name for name in preflight.headers if name.startswith("access-control")]


def test_what_lets_other_sites_read_an_answer_is_taken_off_it() -> None:
    open_to_all = PlainTextResponse("secret", headers={"Access-Control-Allow-Origin": "*"})
    answer = TestClient(Guard(open_to_all, Access(), 1), base_url=HOME).get("/")
    assert answer.text == "secret" and "access-control-allow-origin" not in answer.headers


def test_without_the_token_nothing_is_answered(guarded: TestClient) -> None:
    for path in (f"{API}/videos", "/api/openapi.json", "/", "/anything"):
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Cookie": "hiprobe=wrong"}):
            answer = guarded.get(path, headers=headers)
            assert answer.status_code == 401 and TOKEN not in answer.text
    assert guarded.get(f"{API}/videos").headers["www-authenticate"] == "Bearer"
    with pytest.raises(WebSocketDisconnect), guarded.websocket_connect("/_nicegui_ws/socket.io/"):
        pass
    assert guarded.get(f"{API}/videos", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_the_token_in_an_address_becomes_a_cookie_that_does_not_hold_it(guarded: TestClient) -> None:
    answer = guarded.get("/", params={"token": TOKEN, "video": "3"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/?video=3")
    cookie = answer.headers["set-cookie"]
    assert TOKEN not in cookie and "HttpOnly" in cookie and "samesite=strict" in cookie.lower()
    assert guarded.get(f"{API}/videos").status_code == 200  # the client has kept it


def test_no_redirect_leads_to_another_site(guarded: TestClient) -> None:
    answer = guarded.get(f"{HOME}//evil.example/x", params={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/evil.example/x")


def test_the_form_takes_the_token(guarded: TestClient) -> None:
    page = guarded.get("/")
    assert page.status_code == 401 and 'action="/login"' in page.text
    assert guarded.post("/login", content="token=wrong").status_code == 401
    assert guarded.post("/login", content=f"token={quote(TOKEN)}").status_code == 303
    assert guarded.get(f"{API}/videos").status_code == 200


# Playing


def test_a_video_is_played_in_ranges(web: TestClient, folder: Path, video: Path) -> None:
    shutil.copy(video, folder / "a.mp4")
    added = web.post(f"{API}/videos", json={"path": "a.mp4"}).json()
    content = video.read_bytes()
    answer = web.get(f"{API}/videos/{added['id']}/media", headers={"Range": "bytes=10-19"})
    assert (answer.status_code, answer.content) == (206, content[10:20])
    assert answer.headers["content-range"] == f"bytes 10-19/{len(content)}"
    assert web.get(f"{API}/videos/{added['id']}/media", headers={"Range": "bytes=9999999-"}).status_code == 416
    assert added["playable"]


def test_a_video_that_browsers_do_not_play_gets_a_copy_with_the_same_times(web: TestClient, folder: Path) -> None:
    times = [0.0, 0.1, 0.5, 0.6, 1.3, 1.4, 1.5]
    path = write_video(folder / "old.avi.mkv", len(times), times=times, codec="mpeg4", size=(49, 81))
    added = web.post(f"{API}/videos", json={"path": path.name}).json()
    assert not added["playable"]
    answer = wait_for(lambda: web.get(f"{API}/videos/{added['id']}/media"), lambda answer: answer.status_code != 503)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "video/mp4")
    copy = folder / "copy.mp4"
    copy.write_bytes(answer.content)
    assert open_video(copy).frame_times().tolist() == pytest.approx(times, abs=0.002)
    assert web.post(f"{API}/videos", json={"path": "copy.mp4"}).json()["playable"]


def test_a_video_whose_clock_starts_late_gets_a_copy_that_starts_at_0(tmp_path: Path) -> None:
    late = write_video(tmp_path / "late.mp4", 5, times=[3.0, 3.1, 3.2, 3.3, 3.4])
    info = check_video(late)
    assert info.start_pts == pytest.approx(3) and plays_as(late, info) is None


def test_errors_are_one_sentence_with_a_fitting_status(web: TestClient) -> None:
    for path, status in ((f"{API}/videos/7", 404), (f"{API}/jobs/7", 404), (f"{API}/videos/7/result", 404)):
        answer = web.get(path)
        assert answer.status_code == status and answer.json()["detail"].endswith(".")
    assert web.post(f"{API}/videos", json={"path": "../x"}).status_code == 422
    assert web.get("/api/openapi.json").json()["paths"].keys() >= {f"{API}/jobs", f"{API}/uploads", f"{API}/refits"}
    assert web.get("/docs").status_code == 404


def test_a_folder_that_is_no_longer_allowed_is_closed(folder: Path, video: Path, tmp_path: Path) -> None:
    other = tmp_path / "project-two"
    other.mkdir()
    shutil.copy(video, other / "a.mp4")
    with open_service(Settings(folder, (other,)), FakeBackbone(), FeatureStore(folder / "f")) as service:
        assert service.library.add(other / "a.mp4").path == str(other / "a.mp4")
    with (
        open_service(Settings(folder), FakeBackbone(), FeatureStore(folder / "f")) as service,
        pytest.raises(UsageError, match="no such video"),
    ):
        service.library.open(1)
