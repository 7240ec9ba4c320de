"""Weight norm and spectral norm as parametrizations: ``parametrizations.weight_norm(module)``."""

from cygrad.nn.utils.norms import parametrized_spectral_norm as spectral_norm
from cygrad.nn.utils.norms import parametrized_weight_norm as weight_norm

__all__ = ["spectral_norm", "weight_norm"]
