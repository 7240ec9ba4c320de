"""Special functions on arrays of float64, in NumPy alone. Each names its source; "DLMF" is the NIST Digital Library of
Mathematical Functions, https://dlmf.nist.gov.
"""
