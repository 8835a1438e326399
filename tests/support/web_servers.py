"""Web servers that serve a folder of feeds with the configuration of ``publish hosting``."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

MODULES = Path("/usr/lib/nginx/modules")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Served:
    """A site behind a web server."""

    server: str
    port: int
    root: Path
    #: Whether br is served and If-None-Match always has priority.
    is_full: bool

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        url = f"http://127.0.0.1:{self.port}{quote(path, safe='/%?=')}"
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(url, headers=names, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())


NGINX = """
{modules}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    server {{ listen 127.0.0.1:{port}; root {folder}/www; include {snippet}; }}
}}
"""


CADDY = "{{\n\tadmin off\n\tauto_https off\n}}\nhttp://127.0.0.1:{port} {{\n\troute {{\n\t\timport {snippet}\n\t\trespond 404\n\t}}\n}}\n"


APACHE = """
ServerRoot /usr/lib/apache2
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
User {user}
Group {group}
LoadModule mpm_event_module modules/mod_mpm_event.so
LoadModule authz_core_module modules/mod_authz_core.so
LoadModule alias_module modules/mod_alias.so
LoadModule dir_module modules/mod_dir.so
LoadModule env_module modules/mod_env.so
LoadModule headers_module modules/mod_headers.so
LoadModule mime_module modules/mod_mime.so
LoadModule rewrite_module modules/mod_rewrite.so
TypesConfig /etc/mime.types
DocumentRoot {folder}/www
<VirtualHost 127.0.0.1:{port}>
    DocumentRoot {folder}/www
    Include {snippet}
</VirtualHost>
"""


def started(command: list[str], port: int, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        else:
            return process
    process.kill()
    raise AssertionError(log.read_text())


def nginx_modules() -> str:
    names = ["ngx_http_brotli_static_module.so", "ngx_http_headers_more_filter_module.so"]
    return "\n".join(f"load_module {MODULES / name};" for name in names)


def start(server: str, folder: Path, snippet: str, port: int) -> subprocess.Popen[bytes]:
    (folder / "www").mkdir(exist_ok=True)
    kind = server.partition("+")[0]
    if server == "nginx+modules":
        snippet = re.sub(r"(?m)^    #(?=\S|    )", "    ", snippet)
        assert "\n    brotli_static on;" in snippet and "\n    if ($http_if_none_match) {" in snippet
    path = folder / "snippet.conf"
    path.write_text(snippet)
    user, group = ("www-data", "www-data") if os.geteuid() == 0 else (str(os.geteuid()), str(os.getegid()))
    values = {"folder": folder, "port": port, "snippet": path, "user": user, "group": group}
    values["modules"] = nginx_modules() if server == "nginx+modules" else ""
    settings = folder / "settings.conf"
    settings.write_text({"nginx": NGINX, "caddy": CADDY, "apache": APACHE}[kind].format(**values))
    command = {
        "nginx": ["nginx", "-e", str(folder / "error.log"), "-c", str(settings), "-g", "daemon off;"],
        "caddy": ["caddy", "run", "--config", str(settings), "--adapter", "caddyfile"],
        "apache": ["apache2", "-f", str(settings), "-DFOREGROUND"],
    }[kind]
    return started(command, port, folder / "server.log")


def installed(server: str) -> bool:
    if server == "publish serve":
        return True
    if server == "nginx+modules":
        names = ("ngx_http_brotli_static_module.so", "ngx_http_headers_more_filter_module.so")
        return bool(shutil.which("nginx")) and all((MODULES / name).exists() for name in names)
    return bool(shutil.which("apache2" if server == "apache" else server))
