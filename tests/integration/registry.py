# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry of a test's own, images that nobody else has, and a line to the registry that can be cut."""

from __future__ import annotations

import contextlib
import datetime
import io
import ipaddress
import json
import os
import socket
import tarfile
import threading
import time
import typing as t
import uuid
from pathlib import Path

import docker
import requests
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.integration import claims

IMAGE = "registry:2"
SECONDS = 120
USER, PASSWORD = "robot", "a long word"
# bcrypt of PASSWORD, the only kind that the registry accepts
HTPASSWD = f"{USER}:$2b$05$84LOMdUZys4UhWnvC9x8Du8WF1cxmcF1zhDg5ioVS3nT.N94vm22.\n"
ROOT_FOLDER = "/var/lib/registry/docker/registry/v2"
LOGIN = {
    "REGISTRY_AUTH": "htpasswd",
    "REGISTRY_AUTH_HTPASSWD_REALM": "test",
    "REGISTRY_AUTH_HTPASSWD_PATH": "/htpasswd",
}
TLS = {"REGISTRY_HTTP_TLS_CERTIFICATE": "/cert.pem", "REGISTRY_HTTP_TLS_KEY": "/key.pem"}


# the certificates of a test are worth nothing
urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)


class Registry:
    """A registry in a container, reachable on 127.0.0.1 and on its own address; ``remove`` ends it.

    :param login: whether it wants ``USER`` and ``PASSWORD``.
    :param tls: whether it has a certificate, which nobody signed but itself.
    """

    def __init__(self, login: bool = False, tls: bool = False) -> None:
        self.api = docker.from_env(timeout=SECONDS).api
        self._names: list[str] = []
        self._scheme = "https" if tls else "http"
        self.port = claims.port()
        environment = {**(LOGIN if login else {}), **(TLS if tls else {})}
        # what it has must be what is on its disk, also when a test has damaged that
        environment["REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR"] = ""
        files = {"htpasswd": HTPASSWD.encode()} if login else {}
        if tls:
            files |= certificate()
        made = self.api.create_container(
            IMAGE,
            name=f"j4c-test-registry-{uuid.uuid4().hex[:12]}",
            environment=environment,
            ports=[5000],
            host_config=self.api.create_host_config(port_bindings={5000: ("127.0.0.1", self.port)}),
        )
        self.container = str(made["Id"])
        try:
            if files:
                assert self.api.put_archive(self.container, "/", archive(files))
            self.start()
        except BaseException:
            self.remove()
            raise

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.api.start(self.container)
        deadline = time.monotonic() + SECONDS
        while True:
            with contextlib.suppress(requests.RequestException):
                if self.get("").status_code in (200, 401):
                    return
            assert time.monotonic() < deadline, self.api.logs(self.container).decode()
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as a crash does."""
        self.api.kill(self.container)

    def get(self, path: str, **options: t.Any) -> requests.Response:
        """Ask its API below ``/v2/``, with the login."""
        url = f"{self._scheme}://127.0.0.1:{self.port}/v2/{path}"
        accept = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
        return requests.get(url, timeout=30, verify=False, auth=(USER, PASSWORD), headers={"Accept": accept}, **options)

    def digest(self, path: str, tag: str) -> str | None:
        """Return what a tag names, ``None`` for nothing."""
        answer = self.get(f"{path}/manifests/{tag}")
        return answer.headers["Docker-Content-Digest"] if answer.status_code == 200 else None

    def layers(self, path: str, tag: str) -> list[str]:
        """Return the digests of an image's layers."""
        return [item["digest"] for item in self.get(f"{path}/manifests/{tag}").json()["layers"]]

    def sh(self, command: str) -> str:
        """Run a command in its container, in the folder with what it keeps."""
        made = self.api.exec_create(self.container, ["sh", "-ec", f"cd {ROOT_FOLDER} && {command}"])
        output = str(self.api.exec_start(made["Id"]).decode())
        assert self.api.exec_inspect(made["Id"])["ExitCode"] == 0, output
        return output

    @staticmethod
    def file(digest: str) -> str:
        """Return where it keeps a layer or manifest."""
        value = digest.split(":", 1)[1]
        return f"blobs/sha256/{value[:2]}/{value}/data"

    @property
    def local(self) -> str:
        """Its address that the engine asks for no certificate."""
        return f"127.0.0.1:{self.port}"

    @property
    def remote(self) -> str:
        """Its address that the engine wants a valid certificate for."""
        networks = self.api.inspect_container(self.container)["NetworkSettings"]["Networks"]
        return f"{networks['bridge']['IPAddress']}:5000"

    def image(self, size: int = 1000) -> str:
        """Return the id of a new image on the engine with one layer of random bytes."""
        name = f"j4c-test-registry-{uuid.uuid4().hex[:12]}"
        self._names.append(name)
        self.api.import_image_from_data(archive({"data": os.urandom(size)}), repository=name, tag="1")
        return str(self.api.inspect_image(f"{name}:1")["Id"])

    def forget(self, image: str) -> None:
        """Remove an image from the engine with all its names."""
        self.api.remove_image(image, force=True)

    def remove(self) -> None:
        """Remove the registry, and the images that were made or got a name in it."""
        addresses = {self.local, self.remote}
        self.api.remove_container(self.container, force=True, v=True)
        for image in self.api.images():
            names = [*(image["RepoTags"] or []), *(image["RepoDigests"] or [])]
            if any(name.split("/", 1)[0] in addresses or name.split(":", 1)[0] in self._names for name in names):
                with contextlib.suppress(docker.errors.ImageNotFound):
                    self.api.remove_image(image["Id"], force=True)


def archive(files: t.Mapping[str, bytes]) -> bytes:
    """Return a tar file."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    return written.getvalue()


def certificate() -> dict[str, bytes]:
    """Return a certificate for 127.0.0.1 that is signed by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "registry of a test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {"cert.pem": made.public_bytes(pem), "key.pem": private}


def credentials(folder: Path, password: str = PASSWORD, mode: int = 0o600) -> str:
    """Write a file with a login and return its path."""
    path = folder / f"credentials-{uuid.uuid4().hex[:8]}.json"
    path.write_text(json.dumps({"username": USER, "password": password}), encoding="utf-8")
    path.chmod(mode)
    return str(path)


class Line:
    """A line to a port of this machine that does something once, in the middle of what is sent through it.

    :param port: where it leads.
    :param after: number of bytes of a sender after which ``then`` is done.
    """

    def __init__(self, port: int, after: int, then: t.Callable[[], None]) -> None:
        self._target = port
        self._after = after
        self._then = then
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.cut = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """What to connect to."""
        return f"127.0.0.1:{self.port}"

    def close(self) -> None:
        """Accept no more connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                here, _address = self._listener.accept()
            except OSError:
                return
            try:
                there = socket.create_connection(("127.0.0.1", self._target), timeout=30)
            except OSError:
                here.close()
                continue
            there.settimeout(None)
            threading.Thread(target=self._carry, args=(here, there, True), daemon=True).start()
            threading.Thread(target=self._carry, args=(there, here, False), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        sent = 0
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
                sent += len(data)
                if counted and sent > self._after:
                    self._act()
        for sock in (source, sink):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _act(self) -> None:
        with self._lock:
            if not self.cut.is_set():
                self._then()
                self.cut.set()
