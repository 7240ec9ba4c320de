"""Preprocessing: table columns converted to features, targets to network outputs and back."""

from cygrad.data.preprocessing.dates import Date
from cygrad.data.preprocessing.encoders import Category, Number, RobustNumber
from cygrad.data.preprocessing.preprocessor import Preprocessor
from cygrad.data.preprocessing.target import Classes, Quantity, fit_target, target_of

__all__ = [
    "Category",
    "Classes",
    "Date",
    "Number",
    "Preprocessor",
    "Quantity",
    "RobustNumber",
    "fit_target",
    "target_of",
]
