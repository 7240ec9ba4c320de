"""Preprocessing: from the columns of a table to the numbers of a network, and from its outputs back."""

from cygrad.data.preprocessing.encoders import Category, Number
from cygrad.data.preprocessing.preprocessor import Preprocessor
from cygrad.data.preprocessing.target import Classes, Quantity, fit_target, target_of

__all__ = ["Category", "Classes", "Number", "Preprocessor", "Quantity", "fit_target", "target_of"]
