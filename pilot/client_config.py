"""The user's own settings: which sites there are, and where the client keeps what it learned.

`sites.toml` and `known_hosts` are in the configuration folder ($XDG_CONFIG_HOME/rocks-pilot), receipts and
the names for completion in the state folder ($XDG_STATE_HOME/rocks-pilot). Both are the user's alone (0700).
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path

import msgspec

from pilot import config
from pilot.errors import ConfigError, UsageError
from pilot.wire import PORT

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_HOST = re.compile(r"[A-Za-z0-9._:%-]{1,253}")


class Site(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One airboss, as this user knows it."""

    name: str
    host: str
    port: int = PORT
    user: str = ""
    """SSH user name; empty for the certificate's first principal, or the local user's name."""
    key: str = ""
    """File of the private key for this site; empty for those of the agent and the usual files."""
    cluster: str = ""
    """The cluster that is meant when none is named."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise config.KeyProblem("name", "letters, digits, dots, dashes and underscores, 63 at most")
        if not _HOST.fullmatch(self.host):
            raise config.KeyProblem("host", "not a host name or address")
        if not 0 < self.port < 65536:
            raise config.KeyProblem("port", "a port is from 1 to 65535")

    @property
    def address(self) -> str:
        """Host and port as people write them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORT else f"{host}:{self.port}"


class Sites(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file sites.toml."""

    default: str = ""
    site: tuple[Site, ...] = ()


def config_home() -> Path:
    """The configuration folder: $PILOT_CONFIG, or the user's by the XDG rules."""
    if chosen := os.environ.get("PILOT_CONFIG"):
        return Path(chosen)
    return _xdg("XDG_CONFIG_HOME", ".config")


def state_home() -> Path:
    """The state folder by the XDG rules; beside a chosen configuration folder it is that folder's own."""
    if chosen := os.environ.get("PILOT_CONFIG"):
        return Path(chosen) / "state"
    return _xdg("XDG_STATE_HOME", ".local/state")


def _xdg(variable: str, otherwise: str) -> Path:
    given = os.environ.get(variable, "")
    # The XDG rules: a relative path there is to be ignored.
    base = Path(given) if given.startswith("/") else Path.home() / otherwise
    return base / "rocks-pilot"


def parse_address(text: str) -> tuple[str, int]:
    """`HOST`, `HOST:PORT`, `[IPv6]:PORT` or a bare IPv6 address.

    Raises:
        UsageError: it is none of these.
    """
    match = re.fullmatch(r"\[([^\]]+)\](?::(\d+))?|([^:\[\]]+)(?::(\d+))?|([0-9A-Fa-f:.%]*:[^\[\]]*)", text)
    host = (match[1] or match[3] or match[5]) if match else None
    port = int((match[2] or match[4] or PORT) if match else 0)
    if not host or not _HOST.fullmatch(host) or not 0 < port < 65536:
        raise UsageError(f"'{text}' is not an address", "Write HOST, HOST:PORT or [ADDRESS]:PORT.")
    return host, port


class ClientConfig:
    """Reads and writes the two folders."""

    def __init__(self, folder: Path | None = None) -> None:
        """`folder` instead of the configuration folder; the state is then kept in it too."""
        self.folder = folder or config_home()
        self.state = folder / "state" if folder else state_home()
        self._sites: Sites | None = None

    @property
    def known_hosts(self) -> Path:
        """The pinned host keys, in OpenSSH's format."""
        return self.folder / "known_hosts"

    @property
    def receipts(self) -> Path:
        """Every receipt, one JSON object a line."""
        return self.state / "receipts.jsonl"

    @property
    def sites_file(self) -> Path:
        """The sites."""
        return self.folder / "sites.toml"

    def sites(self) -> Sites:
        """All sites that are known here.

        Raises:
            ConfigError: the file is wrong.
        """
        if self._sites is None:
            if not self.sites_file.exists():
                self._sites = Sites()
            else:
                self._sites = config.load_toml(self.sites_file, Sites)
                names = [site.name for site in self._sites.site]
                for name in names:
                    if names.count(name) > 1:
                        raise ConfigError(f"{self.sites_file}: two sites are called '{name}'")
        return self._sites

    def find(self, wanted: str | None) -> Site:
        """The site that is meant: by name, by address, or the default one.

        Raises:
            UsageError: none is known, or it is not clear which one is meant.
        """
        sites = self.sites()
        if wanted:
            for site in sites.site:
                if site.name == wanted:
                    return site
            host, port = parse_address(wanted)
            for site in sites.site:
                if (site.host, site.port) == (host, port):
                    return site
            return Site(re.sub(r"[^A-Za-z0-9._-]", "-", host).lstrip("._-") or "site", host, port)
        if not sites.site:
            raise UsageError(
                "no site is known yet", "`pilot login HOST` makes one known; `pilot demo` builds one here."
            )
        if sites.default:
            for site in sites.site:
                if site.name == sites.default:
                    return site
            raise ConfigError(
                f"{self.sites_file}, key 'default': there is no site '{sites.default}'",
                f"Known are: {', '.join(site.name for site in sites.site)}.",
            )
        if len(sites.site) > 1:
            raise UsageError(
                f"which site? Known are: {', '.join(site.name for site in sites.site)}",
                "Say it with --site, or choose one for good: `pilot sites --default NAME`.",
            )
        return sites.site[0]

    def remember(self, site: Site) -> None:
        """Add a site, or replace the one of that name; the first one is the default."""
        sites = self.sites()
        others = [known for known in sites.site if known.name != site.name]
        position = next((i for i, known in enumerate(sites.site) if known.name == site.name), len(others))
        others.insert(position, site)
        self._write(Sites(sites.default or site.name, tuple(others)))

    def set_default(self, name: str) -> None:
        """Choose the site that is meant when none is named.

        Raises:
            UsageError: there is none of that name.
        """
        self.named(name)
        self._write(Sites(name, self.sites().site))

    def forget(self, name: str) -> Site:
        """Take a site out of the file, and give it back.

        Raises:
            UsageError: there is none of that name.
        """
        site = self.named(name)
        sites = self.sites()
        default = "" if sites.default == name else sites.default
        self._write(Sites(default, tuple(known for known in sites.site if known.name != name)))
        return site

    def named(self, name: str) -> Site:
        """The site of that name.

        Raises:
            UsageError: there is none.
        """
        for site in self.sites().site:
            if site.name == name:
                return site
        known = ", ".join(site.name for site in self.sites().site) or "none"
        raise UsageError(f"no site is called '{name}'", f"Known are: {known}.")

    def _write(self, sites: Sites) -> None:
        lines = ["# The sites that pilot knows. `pilot login` and `pilot sites` write this file."]
        if sites.default:
            lines.append(f"default = {_quoted(sites.default)}")
        for site in sites.site:
            lines += ["", "[[site]]"]
            for key, value in msgspec.structs.asdict(site).items():
                if value not in ("", PORT):
                    lines.append(f"{key} = {_quoted(value) if isinstance(value, str) else value}")
        write_private(self.sites_file, ("\n".join(lines) + "\n").encode())
        self._sites = sites


def _quoted(text: str) -> str:
    # JSON's escapes are TOML's; only DEL, which JSON leaves as it is, is not allowed in TOML.
    return json.dumps(text).replace("\x7f", "\\u007f")


def private_folder(folder: Path) -> None:
    """Make a folder that only its owner enters.

    Raises:
        ConfigError: it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be made: {error.strerror}") from None


def write_private(path: Path, data: bytes) -> None:
    """Replace a file at once and whole; only its owner reads it.

    Raises:
        ConfigError: it cannot be written.
    """
    private_folder(path.parent)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
