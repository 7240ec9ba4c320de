"""PyTorch's own samples of its operators (OpInfo), run against cygrad; see ``tests/opinfo.py``, which runs all of them."""

from __future__ import annotations

import os
import warnings

import pytest

pytest.importorskip("torch")

from tests import opinfo

LIMIT = 0 if os.environ.get("CYGRAD_OPINFO") == "all" else 4  # samples of each variant and kind; 0 for all

NO_DTYPE = "what NumPy has no dtype for"
ABSENT = {  # why cygrad does not have them: variants
    "results are complex numbers": """
        view_as_real imag polar cdouble cfloat chalf geqrf linalg.eig linalg.eigvals
        fft.fft fft.fft2 fft.fftn fft.hfft fft.hfft2 fft.hfftn fft.rfft fft.rfft2 fft.rfftn fft.ifft fft.ifft2 fft.ifftn
        fft.ihfft fft.ihfft2 fft.ihfftn fft.irfft fft.irfft2 fft.irfftn fft.fftshift fft.ifftshift
    """,
    NO_DTYPE: "bfloat16",
    "layers of images and sequences": """
        nn.functional.fractional_max_pool2d max_pool2d_with_indices_backward nn.functional.grid_sample grid_sampler_2d grid_sampler_3d nn.functional.ctc_loss
    """,
    "internal": """
        native_group_norm native_layer_norm native_batch_norm native_dropout_backward torch._scaled_mm torch._scaled_mm_v2
        slice __rdiv__ to_sparse hash_tensor nn.functional.linear_cross_entropy
        nn.functional.linear_cross_entropy.chunked nn.functional.linear_cross_entropy.chunked_none
    """,
    "copies of what has views": """
        alias_copy as_strided_copy diagonal_copy expand_copy narrow_copy permute_copy split_with_sizes_copy squeeze_copy
        t_copy transpose_copy unbind_copy unfold_copy unsqueeze_copy view_copy
    """,
    "factors of LAPACK": """
        svd_lowrank pca_lowrank linalg.ldl_factor linalg.ldl_factor_ex linalg.ldl_solve
    """,
    "masked tensors": """
        masked.amax masked.amin masked.argmax masked.argmin masked.cumprod masked.cumsum masked.log_softmax
        masked.logaddexp masked.logsumexp masked.mean masked.median masked.norm masked.normalize masked.prod
        masked.softmax masked.softmin masked.std masked.sum masked.var
    """,
    "polynomials, and Bessel functions of other orders": """
        special.airy_ai special.bessel_j0 special.bessel_j1 special.bessel_y0 special.bessel_y1
        special.chebyshev_polynomial_t special.chebyshev_polynomial_u special.chebyshev_polynomial_v
        special.chebyshev_polynomial_w special.hermite_polynomial_h special.hermite_polynomial_he
        special.laguerre_polynomial_l special.legendre_polynomial_p special.modified_bessel_k0 special.modified_bessel_k1
        special.scaled_modified_bessel_k0 special.scaled_modified_bessel_k1 special.shifted_chebyshev_polynomial_t
        special.shifted_chebyshev_polynomial_u special.shifted_chebyshev_polynomial_v
        special.shifted_chebyshev_polynomial_w special.spherical_bessel_j0
    """,
    "windows of signals": """
        signal.windows.bartlett signal.windows.blackman signal.windows.cosine signal.windows.exponential
        signal.windows.gaussian signal.windows.general_cosine signal.windows.general_hamming signal.windows.hamming
        signal.windows.hann signal.windows.kaiser signal.windows.nuttall
    """,
    "not yet": """
        as_strided_scatter constant_pad_nd empty_permuted histogramdd new_empty_strided nonzero_static
    """,
}

PRESENT = [
    info for info in opinfo.variants() if opinfo.found(info) is not None and info.full_name not in ABSENT[NO_DTYPE].split()
]


@pytest.mark.parametrize("info", PRESENT, ids=lambda info: info.full_name)
def test_samples_of_pytorch_give_its_results(info):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problems = list(opinfo.failures(info, limit=LIMIT))
    assert not problems, "\n".join(f"{kind}: {message}" for kind, message in problems)


def test_no_variant_disappears():
    absent = " ".join(ABSENT.values()).split()
    missing = {info.full_name for info in opinfo.variants()} - {info.full_name for info in PRESENT}
    assert missing <= set(absent), f"no longer there: {sorted(missing - set(absent))}"


def test_each_exclusion_is_of_a_variant():
    names = {info.full_name for info in PRESENT}
    for pattern, kind in opinfo.EXCLUDED:
        assert opinfo.matching(names, pattern) and opinfo.matching(opinfo.KINDS, kind), (pattern, kind)
