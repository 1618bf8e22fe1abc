"""strikelock tower: watch other people's deals, and hand over our own to be watched."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated, Any

import typer

from relayer.cli.output import DEFAULT_CONFIG, Config, Json, emit, run, run_until_done

HELP = "Watch other people's deals and push what is due to them; can take nothing."
PACKAGES = "packages"

app = typer.Typer(invoke_without_command=True)


@app.callback()
def watch(
    context: typer.Context,
    packages: Annotated[
        Path | None, typer.Option(help="Folder of packages; left out: `packages` in the party's folder.")
    ] = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Watch other people's deals and push what is due to them, until SIGTERM or Ctrl-C; can take nothing.

    Each deal is a package, made by `strikelock tower export`. A package that comes or changes meanwhile is taken
    in. The configuration's seed is the tower's own, and pays for gas.
    """
    if context.invoked_subcommand is not None:
        return

    async def work() -> None:
        from relayer.loading import load
        from relayer.passphrase import passphrase
        from relayer.settings import SEED_FILE
        from relayer.tower import Tower
        from settlement import seed

        settings = load(config)
        folder = packages or settings.party.folder / PACKAGES
        own = seed.load(settings.party.folder / SEED_FILE, passphrase(settings))
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with Tower.open(settings, own, folder) as tower:
            await tower.load()
            watched = [deal.id for deal in await tower.deals()]
            document = {"ready": True, "deals": watched, "refused": tower.refused, "gas": tower.gas}
            emit(document, json, lambda: _ready_words(document, folder))
            await tower.run(stop)

    run_until_done(work(), json)
    typer.secho("stopped", err=True)


def _ready_words(document: dict[str, Any], folder: Path) -> str:
    lines = [f"ready: {len(document['deals'])} deals to watch; packages are read from {folder}"]
    lines += [f"refused {name}: {reason}" for name, reason in document["refused"].items()]
    lines += [f"gas on {chain} is paid by {address}" for chain, address in document["gas"].items()]
    return "\n".join(lines)


@app.command()
def export(
    deal: Annotated[str, typer.Argument(help="The deal's id.")],
    out: Annotated[Path | None, typer.Option(help="The file to write; left out: the backup folder.")] = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Write a deal's package for a watchtower: the descriptor, and spends signed ahead. Holds no secret.

    A spend can be signed when its leg is funded: export again as soon as more is, and hand the new file over.
    """

    async def work() -> dict[str, Any]:
        from relayer.loading import load
        from relayer.package import make_package
        from relayer.party import Party
        from settlement.backup import write_file

        settings = load(config)
        async with Party.open(settings, drive=False) as party:
            await party.observe(deal)
            found = await party.store.deal(deal)
            package = await make_package(found, party.seed.identity(), party.chains, party.wallets)
        path = out or settings.backup.folder / package.name
        write_file(path, package.text())
        return {
            "deal": deal,
            "file": str(path),
            "spends": [
                {"leg": leg, "path": one.path, "fee": one.held - one.amount} for leg, one in package.spends
            ],
            "missing": [{"leg": leg, "path": path} for leg, path in package.missing],
        }

    document = run(work(), json)
    emit(document, json, lambda: _export_words(document))


def _export_words(document: dict[str, Any]) -> str:
    lines = [f"package of deal {document['deal']} written to {document['file']}"]
    for leg, path in dict.fromkeys((one["leg"], one["path"]) for one in document["spends"]):
        fees = [one["fee"] for one in document["spends"] if (one["leg"], one["path"]) == (leg, path)]
        lines.append(f"{leg} {path}: signed at {len(fees)} prices, fees of {min(fees)} to {max(fees)}")
    lines += [f"{one['leg']} {one['path']}: not yet, nothing stands there" for one in document["missing"]]
    return "\n".join(lines)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The package.")],
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Check a package: that it is whole, that its chains are ours, and every signature in it. Needs no node."""

    async def work() -> dict[str, Any]:
        from chains.registry import make_chain
        from relayer.loading import load
        from relayer.package import MAX_BYTES, check_package, read_package
        from settlement.backup import read_raw

        chains = {name: make_chain(name, section) for name, section in load(config).chains.items()}
        package = read_package(read_raw(file, MAX_BYTES), str(file))
        rungs = check_package(package, chains)
        return {
            "deal": package.deal.id,
            "protocol": package.deal.terms.protocol,
            "role": package.deal.role,
            "spends": [
                {"leg": leg, "path": path, "txid": tx.txid, "fee": tx.fee, "price": tx.price}
                for (leg, path), found in rungs.items()
                for tx, _ in found
            ],
        }

    document = run(work(), json)
    emit(document, json, lambda: f"deal {document['deal']}, {len(document['spends'])} spends, all signatures good")
