"""Dates and times: how people write them, the calendar, and the features made of them."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

from cygrad.data import Preprocessor, Table
from cygrad.data.dates import calendar, date_orders, date_text, parse_date
from cygrad.data.identifiers import identifier_notes
from cygrad.data.preprocessing import Date
from cygrad.data.preprocessing.dates import names_time
from cygrad.data.preprocessing.encoders import encoder_from_dict, encoder_to_dict

READ = {
    "2024-12-31": "2024-12-31",
    "2024/1/5": "2024-01-05",
    "2024-05": "2024-05-01",
    "2024-12-31T12:30:05Z": "2024-12-31 12:30:05",
    "2024-12-31 12:30+02:00": "2024-12-31 10:30:00",
    "20241231T120000Z": "2024-12-31 12:00:00",
    "31.12.2024": "2024-12-31",
    "31.12.24 14:30 Uhr": "2024-12-31 14:30:00",
    "1.2.2024": "2024-02-01",
    "12/31/2024 2:30 PM": "2024-12-31 14:30:00",
    "12/31/2024, 12:05 a.m.": "2024-12-31 00:05:00",
    "31 Dec 2024": "2024-12-31",
    "31-Dec-69": "1969-12-31",
    "31-Dec-68": "2068-12-31",
    "Dec 31, 2024": "2024-12-31",
    "31. Dezember 2024": "2024-12-31",
    "1er": None,
    "1er janvier 2024": "2024-01-01",
    "mardi 31 décembre 2024": "2024-12-31",
    "Di, 31.12.2024": "2024-12-31",
    "mar 31, 2024": "2024-03-31",
    "Jan 2024": "2024-01-01",
    "31DEC2024:10:00:00": "2024-12-31 10:00:00",
    "31/Dec/2024:10:00:00 +0100": "2024-12-31 09:00:00",
    "Tue Dec 31 10:00:00 UTC 2024": "2024-12-31 10:00:00",
    "2024年12月31日": "2024-12-31",
    "3 févr. 2024": "2024-02-03",
    "Tue, 31 Dec 2024 10:00:00 GMT": "2024-12-31 10:00:00",
    "14:30": "1970-01-01 14:30:00",
    "2023-02-29": None,
    "31.04.2024": None,
    "3.10.12": None,
    "24:30": None,
    "13:00 pm": None,
    "31 Ju 2024": None,
    "31/12/2024": None,
    "1e5": None,
    "": None,
}


@pytest.mark.parametrize(("text", "expected"), READ.items(), ids=READ)
def test_spellings_of_dates(text, expected):
    seconds = parse_date(text, "mdy")
    assert (None if seconds is None else date_text(seconds)) == expected


def test_the_order_of_day_and_month_is_told_by_the_values_or_open():
    assert date_orders(["1/2/2024", "13/2/2024"]) == ["dmy"]
    assert date_orders(["1/2/2024", "2/13/2024"]) == ["mdy"]
    assert date_orders(["1/2/2024", "2/1/2024"]) == ["dmy", "mdy"]
    assert date_orders(["1/1/2024", "2/2/2024"]) == ["dmy"]
    assert date_orders(["1/13/2024", "13/1/2024"]) == []
    assert date_orders(["1.2.2024", "2024-02-01"]) == [""]


def test_a_year_of_two_digits_may_come_first():
    assert date_orders(["99/12/31", "24-01-02"]) == ["ymd"]
    days = [f"{1 + i % 12:02}/{1 + i % 5:02}/{1 + i:02}" for i in range(28)]
    fitted = Preprocessor(date_order="ymd").fit(Table({"when": days}))
    iso = [f"20{day[:2]}-{day[3:5]}-{day[6:]}" for day in days]
    np.testing.assert_array_equal(fitted.transform(Table({"when": days})), fitted.transform(Table({"when": iso})))
    fitted = Preprocessor().fit(Table({"when": [f"{24 + i % 8}/12/{1 + i:02}" for i in range(28)]}))
    assert "'24/12/01' is read as 2001-12-24, not 2024-12-01 (date_order='ymd')" in fitted.notes[0]


def test_the_calendar_is_that_of_datetime():
    moments = np.random.default_rng(0).integers(-62_135_596_800, 253_402_300_799, 2000).astype(np.float64)
    found = calendar(moments)
    epoch = datetime.datetime(1970, 1, 1)
    for i, seconds in enumerate(moments.tolist()):
        moment = epoch + datetime.timedelta(seconds=seconds)
        expected = (moment.year, moment.month, moment.weekday())
        assert tuple(found[name][i] for name in ("year", "month", "weekday")) == expected
        assert abs(found["hour"][i] - moment.hour - moment.minute / 60 - moment.second / 3600) < 1e-9


DAYS = [f"2024-{1 + i % 12:02}-{1 + i:02}" for i in range(28)]


def test_dates_become_parts_of_the_calendar():
    fitted = Preprocessor().fit(Table({"when": DAYS}))
    parts = ["month (sine)", "month (cosine)", "weekday (sine)", "weekday (cosine)", "elapsed"]
    assert fitted.features == [f"when: {part}" for part in parts]
    features = fitted.transform(Table({"when": ["2024-01-01 00:00", "2024-04-04"]}))
    np.testing.assert_allclose(features[:, :2], [[0, 1], [1, 0]], atol=1e-6)
    np.testing.assert_allclose(features[:, 2:4], [[0, 1], [np.sin(6 * np.pi / 7), np.cos(6 * np.pi / 7)]], atol=1e-6)


def test_a_missing_date_is_marked_and_text_is_refused_or_treated_so():
    fitted = Preprocessor().fit(Table({"when": [*DAYS, None]}))
    table = Table({"when": ["soon", None, DAYS[0]]})
    features = fitted.transform(table, unseen="ignore")
    np.testing.assert_array_equal(features[:2], [[0] * 5 + [1]] * 2)
    assert fitted.unknown(table) == {"when": 1}
    with pytest.raises(ValueError, match="column 'when' contains 'soon' in row 1, expected a date"):
        fitted.transform(table)


@pytest.mark.parametrize("unit", [1, 1e3, 1e6, 1e9])
def test_units_of_numbers_are_told_by_their_size(unit):
    seconds = 1.7e9 + 3600.0 * np.arange(50)
    fitted = Preprocessor().fit(Table({"created_at": seconds * unit}))
    other = Preprocessor().fit(Table({"created_at": seconds.astype("datetime64[s]")}))
    np.testing.assert_allclose(
        fitted.transform(Table({"created_at": seconds * unit})),
        other.transform(Table({"created_at": seconds.astype("datetime64[s]")})),
        atol=1e-5,
    )
    assert isinstance(encoder_from_dict(encoder_to_dict(fitted.encoders[0])), Date)


def test_digits_are_dates_where_an_option_or_the_name_says_so():
    digits = [float(day.replace("-", "")) for day in DAYS]
    as_text = Preprocessor().fit_transform(Table({"d": DAYS}))
    np.testing.assert_array_equal(Preprocessor(dates=["d"]).fit_transform(Table({"d": digits})), as_text)
    np.testing.assert_array_equal(Preprocessor().fit_transform(Table({"start_date": digits})), as_text)
    assert Preprocessor().fit(Table({"d": digits})).features == ["d"]
    with pytest.raises(ValueError, match="column 'd' is listed in dates, but not all its values are dates"):
        Preprocessor(dates=["d"]).fit(Table({"d": [1.0, 2.0]}))


def test_names_that_mean_time():
    assert all(
        map(names_time, ["time", "Timestamp", "created_at", "eventTimestamp", "unix_time", "ts_ms", "birthDate"])
    )
    assert not any(map(names_time, ["runtime", "cpu_time", "attitude", "update_count", "sales_per_day", "", "x"]))


KINDS = {
    "kind": "date", "name": "x", "spelling": "text", "order": "", "center": 0.0, "std": 1.0, "kept": ["year"], "marked": True,
}  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"spelling": "h"},
        {"order": "ydm"},
        {"std": 0.0},
        {"center": "1"},
        {"kept": []},
        {"kept": ["day"]},
        {"marked": 1},
    ],
)
def test_corrupt_descriptions_raise(wrong):
    assert encoder_to_dict(encoder_from_dict(KINDS)) == KINDS
    with pytest.raises(ValueError, match="invalid values"):
        encoder_from_dict({**KINDS, **wrong})


def test_rare_categories_become_one():
    cities = ["Bern"] * 50 + ["Oslo"] * 40 + [f"village {i}" for i in range(20)]
    fitted = Preprocessor(most_categories=10).fit(Table({"city": cities}))
    assert fitted.features == ["city is 'Bern'", "city is 'Oslo'", "city is another value"]
    assert fitted.notes == [
        "column 'city': 110 texts have 22 distinct values, more than 10; the 2 most frequent are kept, those of the "
        "other 20 rows become one category"
    ]
    table = Table({"city": ["Oslo", "village 3", "Rome", None]})
    expected = [[0, 1, 0], [0, 0, 1], [0, 0, 1], [0, 0, 0]]
    for one in fitted, Preprocessor.from_dict(fitted.to_dict()):
        np.testing.assert_array_equal(one.transform(table, unseen="ignore"), expected)
        assert one.unknown(table) == {"city": 1}


def test_truth_values_have_one_form():
    fitted = Preprocessor().fit(Table({"b": ["TRUE", "false", "True"]}))
    for yes, no in [(True, False), ("true", "FALSE"), (1, 0), ("1", "0"), (np.True_, np.False_)]:
        np.testing.assert_array_equal(fitted.transform(Table({"b": [yes, no]})), [[0, 1], [1, 0]])
    for categories in [], ["b"]:
        fitted = Preprocessor(categories=categories).fit(Table({"b": [1, 0, 1, 0]}))
        expected = fitted.transform(Table({"b": [1, 0]}))
        np.testing.assert_array_equal(fitted.transform(Table({"b": [True, False]})), expected)


IDENTIFIERS = {
    "counted from 1": {"x": [1, 2, 3, 4], "z": [1, 1, 2, 2]},
    "counted from 0": {"x": [0, 1, 2, 3], "z": [1, 1, 2, 2]},
    "different integers under the name id": {"customer_id": [7, 3, 9, 4], "z": [1, 1, 2, 2]},
    "camel case": {"PassengerId": [7, 3, 9, 4], "z": [1, 1, 2, 2]},
    "texts": {"uuid": ["a7", "b2", "c9", "d1"], "z": [1, 1, 2, 2]},
    "German": {"Nr.": [17, 13, 19, 14], "z": [1, 1, 2, 2]},
}
NONE = {
    "fractions": {"x": [0.5, 1.5, 2.5, 3.5], "z": [1, 1, 2, 2]},
    "repeated": {"shop_id": [7, 7, 9, 4], "z": [1, 1, 2, 2]},
    "different integers under another name": {"paid": [7, 3, 9, 4], "z": [1, 1, 2, 2]},
    "missing": {"id": [1, None, 3, 4], "z": [1, 1, 2, 2]},
    "nothing else": {"x": [1, 2, 3, 4], "z": [1, 1, 1, 1]},
    "two rows": {"x": [1, 2], "z": [1, 2]},
}


@pytest.mark.parametrize("columns", IDENTIFIERS.values(), ids=IDENTIFIERS)
def test_identifiers_are_found(columns):
    name = next(iter(columns))
    assert list(identifier_notes(Table(columns))) == [name]
    assert not identifier_notes(Table(columns), [name])


@pytest.mark.parametrize("columns", NONE.values(), ids=NONE)
def test_other_columns_are_not_identifiers(columns):
    assert not identifier_notes(Table(columns))
