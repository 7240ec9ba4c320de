"""Estimators for scikit-learn: multi-layer perceptrons with its parameters, and ensembles for tables."""

try:
    import sklearn as _sklearn  # noqa: F401
except ImportError:
    raise ImportError("cygrad.sklearn: scikit-learn is not installed: pip install 'cygrad[sklearn]'") from None

from cygrad.sklearn.classifier import MLPClassifier
from cygrad.sklearn.regressor import MLPRegressor
from cygrad.sklearn.tabular import TabularClassifier, TabularRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "TabularClassifier", "TabularRegressor"]
