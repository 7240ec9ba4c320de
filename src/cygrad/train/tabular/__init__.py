"""Ensembles for tables: the networks, their rows, and how they are trained. RealMLP's recipe with defaults that need no
tuning, for the estimators of ``cygrad.sklearn`` and for ``cygrad train``.

D. Holzmüller, L. Grinsztajn, I. Steinwart (2024), "Better by default: strong pre-tuned MLPs and boosted trees on
tabular data", appendix A.
"""
