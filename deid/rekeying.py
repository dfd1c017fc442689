"""Changing the keys of a vault, so that a process that dies on the way loses nobody and the same call goes on.

Belongs here: wrapping a vault's keys by another key, and sealing its files under a new one. No name of a file, no code
and no secret changes, so pseudonyms, UIDs and dates stay. Nothing else should work on the vault meanwhile: one that
does reads and makes subjects as ever, and shreds none.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from deid.keyring import Keyring, VaultError, Wrapping, sealed, unsealed
from deid.vault import (
    CHECK_NAME,
    KEY_NAME,
    KEYS_NAME,
    NEXT_KEY_NAME,
    SUBJECTS,
    WRAPPED,
    beside,
    key_of,
    new_key,
    once,
    read,
)  # fmt: skip
from lake.stores.storage import Location

_AT_ONCE = 16
"""Files written at a time: each waits for the disk or the store."""

Report = Callable[[str], None]


def rekey(
    location: Location,
    current: Wrapping | None,
    target: Wrapping | None,
    *,
    new_data_key: bool = False,
    report: Report = lambda _: None,
) -> int:
    """Wrap the vault's keys by a key, and seal its files under a new one if asked to; returns how many it sealed.

    A vault of its own key becomes one of wrapped keys, and its files are sealed anew whatever is asked for, because
    whoever has its old key could open them.

    Args:
        location: the vault's folder.
        current: what opens the vault now; None: the key in its folder.
        target: what shall open it from now on; None: a new key that is made in its folder.
        new_data_key: whether the key that files are sealed under changes, too.
        report: takes a line that tells a person how far it is.

    Raises:
        VaultError: if there is no vault, its key is not here, or a subject's file was damaged.
        ValueError: if a service does not give its key.
    """
    location = replace(location, private=True)
    old = _opened(location, current, target)
    # made before anything changes, and found again by whoever goes on after a process that died
    by = key_of(once(location, NEXT_KEY_NAME, new_key()), NEXT_KEY_NAME) if target is None else target
    unfinished = len(old.data) > 1
    keys = old.renewed() if (new_data_key or read(location, KEYS_NAME) is None) and not unfinished else old
    location.write_bytes(KEYS_NAME, keys.wrapped(by))
    files = 0
    if len(keys.data) > 1:
        files = _sealed_anew(location, keys, report)
        location.write_bytes(KEYS_NAME, keys.settled().wrapped(by))
        # what a process made under the old key between the list of files and this moment
        files += _sealed_anew(location, keys, report)
    _tidy(location, target)
    return files


def _opened(location: Location, current: Wrapping | None, target: Wrapping | None) -> Keyring:
    """The keys, by the key that opens them: the current one, or that which a change before this one had come to."""
    content = read(location, KEYS_NAME)
    keys = [current] if current is not None else beside(location)
    if content is None:
        return _of_own_key(location, keys)
    tried: ValueError | None = None
    for by in [*keys, *([target] if target is not None else []), *beside(location)]:
        try:
            return Keyring.unwrapped(content, by)
        except ValueError as error:  # a service tells in its own words that the key is not its own
            tried = tried or error
    raise tried or VaultError("found a vault whose key is not here, needed it; set the setting that names it")


def _of_own_key(location: Location, keys: list[Wrapping] | list[bytes]) -> Keyring:
    check = read(location, CHECK_NAME)
    if check is None:
        raise VaultError("found no vault, needed one to change the keys of; run a delivery first")
    if check == WRAPPED:
        raise VaultError("found no vault.keys in a vault of wrapped keys, needed it; restore it from a backup")
    for key in keys:
        if isinstance(key, bytes):
            found = Keyring.of_own_key(key)
            try:
                unsealed(found.data[0], check, CHECK_NAME)
            except InvalidTag:
                continue
            return found
    raise VaultError(
        "found a vault that the present key does not open, needed the key it was made with; set LARMOR_VAULT_KEY_FILE "
        "or LARMOR_VAULT_KEY_SECRET to it"
    )


def _sealed_anew(location: Location, keys: Keyring, report: Report) -> int:
    """Seal every file under the newest key that is not yet; returns how many were not."""
    folder, (newest, *older) = location.join(SUBJECTS), map(AESGCM, keys.data)

    def seal(name: str) -> bool:
        content = read(folder, name)
        if content is None or _opens(newest, content, name) is not None:
            return False  # a person who was shredded meanwhile, or a file that is done
        plain = next((plain for key in older if (plain := _opens(key, content, name)) is not None), None)
        if plain is None:
            raise VaultError(
                f"found a vault file ({name[:12]}) that none of its keys opens, needed it as it was; restore it from a "
                "backup and give the same command again: nothing was lost"
            )
        folder.write_bytes(name, sealed(newest, plain, name))
        return True

    names = [name for name in folder.list() if not name.startswith(".")]
    done = 0
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for place, changed in enumerate(pool.map(seal, names), start=1):
            done += changed
            if place % 1000 == 0:
                report(f"{place} of {len(names)} files")
    return done


def _opens(key: AESGCM, content: bytes, name: str) -> bytes | None:
    try:
        return unsealed(key, content, name)
    except InvalidTag:
        return None


def _tidy(location: Location, target: Wrapping | None) -> None:
    """Remove the keys before: nothing in the folder opens what is sealed now, unless that is what was asked for."""
    location.write_bytes(CHECK_NAME, WRAPPED)
    if target is None:
        following = read(location, NEXT_KEY_NAME)
        if following is not None:
            location.write_bytes(KEY_NAME, following)
            location.delete(NEXT_KEY_NAME)
        return
    for name in (KEY_NAME, NEXT_KEY_NAME):
        content = read(location, name)
        if content is not None and key_of(content, name) != target:  # settings may name the file in the folder
            location.delete(name)
