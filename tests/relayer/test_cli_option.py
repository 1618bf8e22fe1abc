"""strikelock option: flags and tables in, words, tables, pictures and documents out."""

from __future__ import annotations

import builtins
import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

import options
from options.volatility import SVI
from relayer.cli.option import app
from relayer.cli.option_rows import CHUNK, priced

RUNNER = CliRunner()
DAY = ["--spot", "100", "--strike", "100", "--hours", "24", "--vol", "0.6"]


def run(*arguments, code=0, **kwargs):
    result = RUNNER.invoke(app, [str(a) for a in arguments], **kwargs)
    assert result.exit_code == code, result.output
    return result


def document(*arguments, code=0):
    return json.loads(run(*arguments, "--json", code=code).stdout)


@pytest.fixture
def chain(tmp_path):
    """A small table: two rows, a column of kinds."""
    path = tmp_path / "chain.csv"
    path.write_text("name,kind,spot,strike\nfirst,call,100,90\nsecond,put,100,110\n")
    return path


@pytest.fixture
def smile(tmp_path):
    """Quotes of two expiries, from known slices."""
    path = tmp_path / "smile.csv"
    lines = ["strike,vol,years,forward"]
    grid = np.linspace(-0.4, 0.4, 9)
    for years, a in ((0.25, 0.01), (0.5, 0.03)):
        slice_ = SVI(a, 0.05, -0.3, 0.02, 0.15)
        grid = np.linspace(-0.4, 0.4, 9)
        lines += [f"{60000 * np.exp(k)},{slice_.vol(k, years)},{years},60000" for k in grid]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_price_by_flags():
    assert float(run("price", *DAY).stdout) == options.black_scholes("call", 100, 100, 24 / 8760, 0.6)


@pytest.mark.parametrize(
    ("model", "flags", "wanted"),
    [
        (
            "digital",
            ["--pays", "asset"],
            lambda: options.digital("put", 100, 95, 0.5, 0.3, 0.05, 0.01, pays="asset"),
        ),
        (
            "barrier",
            ["--barrier", "80", "--style", "down-in", "--rebate", "2", "--observations", "12"],
            lambda: options.barrier(
                "put", 100, 95, 80, 0.5, 0.3, 0.05, 0.01, style="down-in", rebate=2, observations=12
            ),
        ),
        (
            "double-barrier",
            ["--lower", "80", "--upper", "130"],
            lambda: options.double_barrier("put", 100, 95, 80, 130, 0.5, 0.3, 0.05, 0.01),
        ),
        ("asian", ["--fixings", "12"], lambda: options.asian("put", 100, 95, 0.5, 0.3, 0.05, 0.01, fixings=12)),
        (
            "lookback",
            ["--extreme", "90"],
            lambda: options.lookback("put", 100, 95, 0.5, 0.3, 0.05, 0.01, extreme=90),
        ),
        ("american", [], lambda: options.american("put", 100, 95, 0.5, 0.3, 0.05, 0.01)),
        ("black76", [], lambda: options.black76("put", 100, 95, 0.5, 0.3, 0.05)),
    ],
)
def test_every_model_gets_its_arguments(model, flags, wanted):
    market = [
        "--kind",
        "put",
        "--spot",
        "100",
        "--strike",
        "95",
        "--years",
        "0.5",
        "--vol",
        "0.3",
        "--rate",
        "0.05",
        "--dividend",
        "0.01",
    ]
    assert document("price", "--model", model, *market, *flags)["price"] == wanted()


def test_a_floating_lookback_has_no_strike():
    found = document("price", "--model", "lookback", "--spot", 100, "--years", 1, "--vol", 0.2)
    assert found["price"] == options.lookback("call", 100, None, 1, 0.2)


def test_greeks_by_flags():
    found = document("greeks", *DAY)
    wanted = options.greeks("call", 100, 100, 24 / 8760, 0.6)._asdict()
    assert {name: found[name] for name in wanted} == wanted


def test_implied_volatility_turns_the_price_back():
    price = options.black76("put", 100, 90, 0.5, 0.4, 0.03)
    flags = ["--kind", "put", "--forward", "100", "--strike", "90", "--years", "0.5", "--rate", "0.03"]
    assert document("iv", *flags, "--price", price)["vol"] == pytest.approx(0.4, rel=1e-12)


def test_a_table_keeps_its_columns_and_gains_the_price(chain, tmp_path):
    output = tmp_path / "out.csv"
    run("price", "-i", chain, "-o", output, "--years", 1, "--vol", 0.2)
    header, first, second = output.read_text().splitlines()
    assert header == "name,kind,spot,strike,price"
    assert first.startswith("first,call,100.0,90.0,")
    assert float(second.split(",")[-1]) == options.black_scholes("put", 100, 110, 1, 0.2)


def test_tables_pass_through_pipes():
    result = run("price", "-i", "-", "--strike", 100, input="spot,vol,hours\n100,0.5,24\n101,,24\n")
    header, first, second = result.stdout.splitlines()
    assert header == "spot,vol,hours,years,price"
    assert float(first.split(",")[-1]) == options.black_scholes("call", 100, 100, 24 / 8760, 0.5)
    assert second.endswith(",nan")


def test_a_bad_row_is_null_and_the_rest_is_priced():
    result = run("price", "-i", "-", "--strike", 100, "--years", 1, "--json", input="spot,vol\n-1,0.5\n100,0.5\n")
    rows = json.loads(result.stdout)["rows"]
    assert rows[0]["price"] is None
    assert rows[1]["price"] == options.black_scholes("call", 100, 100, 1, 0.5)


def test_parquet_there_and_back(chain, tmp_path):
    pytest.importorskip("pyarrow")
    run("price", "-i", chain, "-o", tmp_path / "a.parquet", "--years", 1, "--vol", 0.2)
    found = document("greeks", "-i", tmp_path / "a.parquet", "--years", 1, "--vol", 0.2)
    assert [row["name"] for row in found["rows"]] == ["first", "second"]
    assert found["rows"][1]["delta"] == options.greeks("put", 100, 110, 1, 0.2).delta


def test_a_long_table_is_priced_in_chunks():
    rows = 2 * CHUNK + 7
    sizes = []

    def work(row):
        sizes.append(len(row["spot"]))
        return {"price": row["spot"] * 2}

    table = priced({"spot": np.arange(rows, dtype=float)}, {}, work)
    assert sizes == [CHUNK, CHUNK, 7]
    assert np.array_equal(table["price"], 2 * table["spot"])


def test_a_surface_finds_its_slices(smile, tmp_path):
    found = document("surface", "-i", smile, "-o", tmp_path / "slices.csv")
    assert found["free"] is True
    assert [row["years"] for row in found["slices"]] == [0.25, 0.5]
    assert found["slices"][1]["a"] == pytest.approx(0.03, rel=1e-5)
    assert (tmp_path / "slices.csv").read_text().startswith("years,quotes,a,b,rho,m,sigma,rmse,butterfly_free\n")


@pytest.mark.parametrize("suffix", [".png", ".svg"])
@pytest.mark.parametrize("picture", ["payoff", "greeks", "smile"])
def test_pictures(picture, suffix, smile, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"picture{suffix}"
    run("plot", picture, "-o", path, *(["-i", smile] if picture == "smile" else DAY))
    magic = path.read_bytes()[:64]
    assert magic.startswith(b"\x89PNG") if suffix == ".png" else b"<?xml" in magic


def test_the_premium_of_a_deal():
    deal = [
        "--spot",
        "60000",
        "--vol",
        "0.6",
        "--underlying",
        "0.1:BTC:8",
        "--strike",
        "6000:USDC:6",
        "--now",
        "0",
        "--exercise-by",
        "86400",
    ]
    found = document("quote", *deal)
    # 125 basis points of 6000 for 24 hours at 60 %, at the money
    assert (found["premium"], found["asset"], found["decimals"]) == (75_170_647, "USDC", 6)
    assert found["hours"] == 24
    assert document("quote", *deal, "--spread", "0.1")["premium"] == pytest.approx(1.1 * found["premium"], abs=2)
    assert document("quote", *deal, "--kind", "put")["asset"] == "BTC"
    assert "75.170647 USDC" in run("quote", *deal).stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["price", "--spot", "100"], "strike is missing"),
        (["price", "--spot", "-1", "--strike", "1", "--years", "1", "--vol", "1"], "spot is -1.0"),
        (["price", *DAY, "--model", "barrier"], "barrier is missing"),
        (["price", *DAY, "--model", "barrier", "--barrier", "90", "--style", "sideways"], "sideways"),
        (["price", *DAY, "-o", "x.csv"], "--output needs --input"),
        (["price", "-i", "/nowhere/x.csv"], "can't be read"),
        (["iv", "--price", "200", "--forward", "100", "--strike", "100", "--years", "1"], "no volatility"),
        (["plot", "smile", "-o", "x.png"], "needs --input"),
        (
            ["quote", "--spot", "1", "--vol", "1", "--underlying", "1", "--strike", "1:A:2", "--exercise-by", "9"],
            "written like",
        ),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(arguments, says):
    result = run(*arguments, code=1)
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert says in line
    assert result.stdout == ""
    error = document(*arguments, code=1)["error"]
    assert says in error["message"]


def test_a_ragged_table_is_refused():
    assert "line 3 has 1 fields" in run("price", "-i", "-", code=1, input="a,b\n1,2\n3\n").stderr


@pytest.mark.parametrize(
    ("library", "arguments"),
    [("pyarrow", ["price", "-i", "x.parquet"]), ("matplotlib", ["plot", "payoff", "-o", "x.png", *DAY])],
)
def test_a_missing_library_is_named(library, arguments, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.split(".")[0] == library:
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    (line,) = run(*arguments, code=1).stderr.splitlines()
    assert library in line
    assert "strikelock[analysis]" in line


def test_importing_the_commands_loads_nothing_heavy():
    heavy = ["numpy", "options", "matplotlib", "pyarrow", "rich.progress"]
    code = f"import sys, relayer.cli.option; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"
