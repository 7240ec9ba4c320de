"""Forecast the next day of an hourly load from the last week, and compare with the days before.

    python examples/forecast.py [--weeks 52] [--epochs 15] [--network gru] [--picture forecast.png]

The load is generated: it has a daily and a weekly season, and grows when it is cold. The same in a shell, with a file:

    cygrad train load.csv --target load --time time --window 168 --horizon 24
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile

import numpy as np

import cygrad as cg

WINDOW, HORIZON = 168, 24


def write_series(path: str, weeks: int) -> None:
    """Write the hours of some weeks: time, load in MW, temperature in °C."""
    draw = np.random.default_rng(0)
    hours = np.arange(24 * 7 * weeks)
    day, weekend = 2 * np.pi * hours / 24, (hours // 24) % 7 > 4
    weather, noise = np.zeros(len(hours)), np.zeros(len(hours))
    for i in hours[1:]:  # both go back to 0: weather in days, noise in hours
        weather[i] = 0.99 * weather[i - 1] + 0.6 * draw.standard_normal()
        noise[i] = 0.8 * noise[i - 1] + 5 * draw.standard_normal()
    temperature = 8 - 9 * np.cos(day / 365) + 3 * np.sin(day - 2.4) + weather
    people = np.where(weekend, 60, 100) * (np.sin(day - 2) + 0.5 * np.sin(2 * day - 1)) - 80 * weekend
    load = 600 + people + 8 * np.maximum(16 - temperature, 0) + noise
    times = np.datetime64("2025-01-06T00") + hours.astype("timedelta64[h]")
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([("time", "load", "temperature"), *zip(times, load.round(2), temperature.round(2))])


def draw(path: str, run: cg.runs.SeriesRun, table: cg.data.Table, days: int = 7) -> None:
    """Draw a week of the test set: the load, and what was forecast at each midnight, by the network and by the day and
    the week before."""
    from matplotlib.figure import Figure

    load, hours = table["load"], np.arange(len(table))
    starts = len(table) - HORIZON * np.arange(days, 0, -1)
    windows = [run.predictions(run.history(table.take(hours[start - WINDOW : start]))) for start in starts]
    network = [row["load"] for rows in windows for row in rows]
    shown = hours[-days * HORIZON :]
    figure = Figure(figsize=(9.2, 3.4), dpi=96, layout="constrained")
    axes = figure.subplots()
    for values, label, style in [
        (load[shown - 24], "the day before", {"color": "tab:gray", "linewidth": 0.8, "linestyle": "--"}),
        (load[shown - 168], "the week before", {"color": "tab:orange", "linewidth": 0.8, "linestyle": "--"}),
        (load[shown], "load", {"color": "black", "linewidth": 1.6}),
        (network, f"{run.config.network_type.upper()}, forecast at midnight", {"color": "tab:blue"}),
    ]:
        axes.plot(np.arange(len(shown)) / 24, values, label=label, **style)
    axes.set(xlabel="day", ylabel="load in MW")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, ncols=4, loc="lower left")
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description="Forecast the next day of an hourly load from the last week.")
    parser.add_argument("--weeks", type=int, default=52, help="length of the series (default: 52)")
    parser.add_argument("--epochs", type=int, default=15, help="maximum number of epochs (default: 15)")
    parser.add_argument("--network", choices=["tcn", "gru"], default="tcn", help="the network (default: tcn)")
    parser.add_argument("--picture", metavar="FILE", help="draw the last week of the test set (needs matplotlib)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, out = os.path.join(folder, "load.csv"), os.path.join(folder, "run")
        write_series(source, arguments.weeks)
        options = {"source": source, "out": out, "target": "load", "time": "time", "window": WINDOW, "horizon": HORIZON}
        chosen = {"epochs": arguments.epochs, "network": arguments.network}
        cg.runs.train(cg.runs.Options.from_values({**options, **chosen}))
        run = cg.runs.load(out)
        print("the next hours:")
        for row in run.predictions(run.read(source))[:3]:
            print(f"{row['time']}  {row['load']:.1f} MW")
        if arguments.picture:
            draw(arguments.picture, run, cg.data.read_csv(source))


if __name__ == "__main__":
    main()
