"""The strikelock command. Its modules import heavy libraries inside the commands that need them, so that
`--help` answers at once."""

from __future__ import annotations

import typer

from relayer.cli import (
    attester,
    bench,
    bench_daemon,
    bench_pricing,
    bench_relay,
    config,
    db,
    deal,
    demo,
    keys,
    leg,
    nodes,
    offer,
    option,
    recover,
    relay,
    run,
    sim,
    token,
    tower,
    validator,
)

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Trade an option, or a plain swap, between two chains without a custodian.",
)
app.add_typer(demo.app, name="demo", help="Run a swap or an option between two parties on real nodes.")
app.command("run", help=run.HELP)(run.run)
app.command("health-check", help=run.HEALTH_HELP)(run.health_check)
app.add_typer(deal.app, name="deal", help="Propose, accept, watch and steer deals.")
deal.app.command("export")(recover.export)
app.command("recover", help=recover.HELP)(recover.recover)
app.add_typer(offer.app, name="offer", help=offer.HELP)
app.add_typer(tower.app, name="tower", help=tower.HELP)
app.add_typer(token.app, name="token", help=token.HELP)
app.add_typer(relay.app, name="relayer", help=relay.HELP)
app.add_typer(relay.query, name="query", help=relay.QUERY_HELP)
app.add_typer(validator.app, name="validator", help=validator.HELP)
app.add_typer(attester.app, name="attester", help="Attest strikes of attested options.")
app.add_typer(leg.app, name="leg", help="Look at the address, script and vault of a leg.")
app.add_typer(keys.app, name="keys", help="Make and show the seed of a party.")
app.add_typer(nodes.app, name="nodes", help="Start and stop regtest nodes of your own.")
app.add_typer(option.app, name="option", help="Price options.")
app.add_typer(sim.app, name="sim", help="Play deals on simulated chains, against adversaries, faults and crashes.")
app.add_typer(bench.app, name="bench", help="Measure costs and speed.")
bench.app.command("daemon", help=bench_daemon.HELP)(bench_daemon.daemon)
bench.app.command("pricing", help=bench_pricing.HELP)(bench_pricing.pricing)
bench.app.command("relay", help=bench_relay.HELP)(bench_relay.relay)
app.add_typer(config.app, name="config", help="Show and check the configuration.")
app.add_typer(db.app, name="db", help="Look after the database.")


def main() -> None:
    """Entry point of the console script."""
    app()
