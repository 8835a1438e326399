"""``publish dkim-key``: create a DKIM key and print its DNS record."""

from __future__ import annotations

import os
from pathlib import Path

import click

from publisher.cli.common import site_option
from publisher.errors import SettingsError
from publisher.settings import read_site

#: The longest string of a TXT record (RFC 1035 §3.3).
_STRING = 255


@click.command("dkim-key")
@click.argument("selector")
@site_option
@click.option(
    "--algorithm", type=click.Choice(["rsa", "ed25519"]), default="rsa", show_default=True, help="The kind of key."
)
@click.option(
    "--file",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file of the private key.  [default: dkim-SELECTOR.pem beside publisher.toml]",
)
def command(selector: str, folder: Path, algorithm: str, path: Path | None) -> None:
    """Create a DKIM key and print its DNS record; print the record only if the key exists.

    SELECTOR names the key in the DNS, for example 2026a. The private key is written to a file that
    only its owner can read. The output has the record to publish and the settings to add. Use an
    Ed25519 key in addition to an RSA key: many receivers support only RSA.

    Exit status: 0 success; 2 usage or settings; 3 failed.
    """
    from publisher.mail.dkim import Signer, dns_record, new_key
    from publisher.settings.validators import slug

    site = read_site(folder)
    try:
        slug(selector)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="SELECTOR") from None
    if site.mail is None:
        raise SettingsError("mail.sender is missing in publisher.toml: DKIM signs with its domain. Set it first.")
    key_path = path or folder / f"dkim-{selector}.pem"
    is_new = _write(key_path, new_key(algorithm))
    signer = Signer.read(key_path.read_text("utf-8"), domain=site.mail.sender_domain, selector=selector)
    name, record = dns_record(signer)
    click.echo(f"{'Made' if is_new else 'There is already'} {key_path} ({signer.algorithm}).")
    click.echo("\nPublish this TXT record:\n")
    # A string of a TXT record holds 255 characters; receivers join several strings (RFC 7208 §3.3).
    strings = " ".join(f'"{record[at : at + _STRING]}"' for at in range(0, len(record), _STRING))
    click.echo(f"  {name}. IN TXT {strings if len(record) <= _STRING else f'( {strings} )'}")
    click.echo("\nWhen the record can be looked up, add to publisher.toml:\n")
    inside = os.path.relpath(key_path.resolve(), site.root)
    click.echo(f'  [[dkim]]\n  selector = "{selector}"\n  key = {{ file = "{inside}" }}')


def _write(path: Path, pem: str) -> bool:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}") from error
    with os.fdopen(handle, "w") as file:
        file.write(pem)
    return True
