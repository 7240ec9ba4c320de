"""What a training found, and the page that tells it: one file of HTML with pictures in SVG, which needs no network."""

from cygrad.report.findings import Findings
from cygrad.report.page import page_of

__all__ = ["Findings", "page_of"]
