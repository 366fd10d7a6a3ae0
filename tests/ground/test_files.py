"""Files are whole or absent."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from stepsize.errors import InvalidValue, StateError
from stepsize.files import ContentStore, check_target, remove_all_but, replaced_whole, write_whole


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "state"
    write_whole(target, b"before")

    def fails(aside: Path) -> None:
        aside.write_bytes(b"half")
        raise OSError(28, "No space left on device", str(aside))

    with pytest.raises(OSError, match=r"No space left.*state'$"):
        replaced_whole(target, fails)
    assert target.read_bytes() == b"before"
    assert [each.name for each in tmp_path.iterdir()] == ["state"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"before")
    (tmp_path / "link").symlink_to("real")
    write_whole(tmp_path / "link", b"after")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"after"


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
def test_a_killed_writer_leaves_one_of_the_whole_contents(tmp_path: Path) -> None:
    target = tmp_path / "state"
    code = textwrap.dedent("""
        import sys
        from pathlib import Path
        from stepsize.files import write_whole
        for number in range(10**9):
            write_whole(Path(sys.argv[1]), bytes([number % 256]) * 200_000)
            if number == 2:
                print("writing", flush=True)
    """)
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", code, str(target)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        content = target.read_bytes()
        assert len(content) == 200_000
        assert len(set(content)) == 1


def test_a_damaged_content_is_noticed(tmp_path: Path) -> None:
    store = ContentStore(tmp_path / "store", "run(...)")
    name = store.put(b"weights")
    assert store.get(name) == b"weights"
    path = tmp_path / "store" / f"{name}.blob"
    path.write_bytes(b"weighty")
    with pytest.raises(StateError, match="damaged or cut short"):
        store.get(name)
    assert store.put(b"weights") == name
    assert store.get(name) == b"weights"


def test_foreign_files_are_never_removed(tmp_path: Path) -> None:
    for name in ("1.state", "2.state", "2.state.77.part", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    remove_all_but({"1.state"}, tmp_path, r"\d+\.state")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["1.state", "notes.txt"]


def test_a_path_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    assert check_target("save()", tmp_path / "a.PNG", (".png", ".svg")) == tmp_path / "a.PNG"
    with pytest.raises(InvalidValue, match=r"must end in \.png, \.svg, but ends in '\.bmp'"):
        check_target("save()", tmp_path / "a.bmp", (".png", ".svg"))
    with pytest.raises(FileNotFoundError):
        check_target("save()", tmp_path / "missing" / "a.png", (".png",))
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(IsADirectoryError):
        check_target("save()", tmp_path / "folder.png", (".png",))
