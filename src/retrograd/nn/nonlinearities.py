"""The activations as functions of nodes, each a few gates.

They are composed so that value and gradient keep their digits in both tails: no branch that is not
chosen overflows, and nothing small is the difference of two large numbers. At a kink the gradient
is PyTorch's.
"""

from __future__ import annotations

import math

from retrograd import gates
from retrograd.arrays import require_number
from retrograd.graph.node import Like, Node, as_node

SELU_SCALE = 1.0507009873554805  # [Klambauer et al. 2017]
SELU_ALPHA = 1.6732632423543773


def identity(z: Like) -> Node:
    """z itself.  d/dz = 1   [PyTorch: Identity]

    >>> rg.evaluate(rg.identity([-2.0, 3.0]))
    array([-2.,  3.])
    """
    return as_node(z)


def relu6(z: Like) -> Node:
    """min(max(z, 0), 6).  d/dz = 1 for 0 < z < 6, else 0   [Krizhevsky 2010]

    >>> rg.evaluate(rg.relu6([-2.0, 3.0, 8.0]))
    array([0., 3., 6.])
    """
    return gates.minimum(6.0, gates.relu(z))


def prelu(z: Like, slope: Like) -> Node:
    """z for z > 0, else slope z.  d/dz = 1 or slope; d/dslope = 0 or z   [He et al. 2015, eq. 1]

    `slope` is a node to learn, one number or one for each unit; `leaky_relu` has it fixed.

    >>> rg.evaluate(rg.prelu([-2.0, 3.0], rg.variable("slope", 0.25)))
    array([-0.5,  3. ])
    """
    node = as_node(z)
    return gates.where(node > 0.0, node, slope * node)


def leaky_relu(z: Like, slope: float = 0.01) -> Node:
    """z for z > 0, else slope z.  d/dz = 1 or slope, slope at 0   [Maas et al. 2013]

    `slope`: >= 0; 0.01 is PyTorch's default, Keras's is 0.3.

    >>> rg.evaluate(rg.leaky_relu([-2.0, 3.0], slope=0.1))
    array([-0.2,  3. ])
    """
    require_number("leaky_relu", "slope", slope)
    return prelu(z, float(slope))


def elu(z: Like, alpha: float = 1.0) -> Node:
    """z for z > 0, else alpha (e**z - 1).  d/dz = 1 or alpha e**z   [Clevert et al. 2016]

    `alpha`: > 0.

    >>> rg.evaluate(rg.elu([-1.0, 3.0])).round(4)
    array([-0.6321,  3.    ])
    """
    require_number("elu", "alpha", alpha, open_low=True)
    return gates.relu(z) + float(alpha) * gates.expm1(gates.minimum(z, 0.0))


def selu(z: Like) -> Node:
    """1.0507 elu(z, 1.6733), which keeps mean 0 and variance 1   [Klambauer et al. 2017, eq. 2]

    >>> rg.evaluate(rg.selu([-1.0, 3.0])).round(4)
    array([-1.1113,  3.1521])
    """
    below = gates.expm1(gates.minimum(z, 0.0))
    return SELU_SCALE * gates.relu(z) + (SELU_SCALE * SELU_ALPHA) * below


def celu(z: Like, alpha: float = 1.0) -> Node:
    """z for z > 0, else alpha (e**(z/alpha) - 1).  d/dz = 1 or e**(z/alpha)   [Barron 2017]

    `alpha`: > 0. Its slope at 0 is 1 from both sides, which elu's is for alpha = 1 only.

    >>> rg.evaluate(rg.celu([-1.0, 3.0], alpha=2.0)).round(4)
    array([-0.7869,  3.    ])
    """
    require_number("celu", "alpha", alpha, open_low=True)
    below = gates.expm1(gates.minimum(z, 0.0) / float(alpha))
    return gates.relu(z) + float(alpha) * below


def gelu(z: Like) -> Node:
    """z P(N < z) for a standard normal N: z erfc(-z / sqrt(2)) / 2   [Hendrycks & Gimpel 2016]

    d/dz = erfc(-z / sqrt(2)) / 2 + z e**(-z**2 / 2) / sqrt(2 pi)

    Written with 1 + erf(z / sqrt(2)), as in PyTorch, it has lost every digit at z = -9.

    >>> rg.evaluate(rg.gelu([-9.0, 0.0, 1.0]))
    array([-1.01572957e-18,  0.00000000e+00,  8.41344746e-01])
    """
    node = as_node(z)
    return (0.5 * node) * gates.erfc((-math.sqrt(0.5)) * node)


def gelu_tanh(z: Like) -> Node:
    """gelu by a tanh: z (1 + tanh(u)) / 2, u = sqrt(2/pi) (z + 0.044715 z**3)

    At most 5e-4 from gelu   [Hendrycks & Gimpel 2016]. Written z sigmoid(2u), which keeps its
    digits for z < 0.

    >>> rg.evaluate(rg.gelu_tanh([-1.0, 0.0, 1.0])).round(4)
    array([-0.1588,  0.    ,  0.8412])
    """
    node, scale = as_node(z), 2.0 * math.sqrt(2.0 / math.pi)
    return node * gates.sigmoid(node * (scale + (0.044715 * scale) * gates.square(node)))


def silu(z: Like) -> Node:
    """z sigmoid(z), also called swish.  d/dz = s (1 + z (1 - s)), s = sigmoid(z)

    [Elfwing et al. 2018; Ramachandran et al. 2017]

    >>> rg.evaluate(rg.silu([-1.0, 0.0, 1.0])).round(4)
    array([-0.2689,  0.    ,  0.7311])
    """
    node = as_node(z)
    return node * gates.sigmoid(node)


def mish(z: Like) -> Node:
    """z tanh(softplus(z)).  d/dz = t + z (1 - t**2) sigmoid(z), t = tanh(softplus(z))

    [Misra 2019]

    >>> rg.evaluate(rg.mish([-1.0, 0.0, 1.0])).round(4)
    array([-0.3034,  0.    ,  0.8651])
    """
    node = as_node(z)
    return node * gates.tanh(gates.softplus(node))


def softsign(z: Like) -> Node:
    """z / (1 + |z|).  d/dz = 1 / (1 + |z|)**2   [Bergstra et al. 2009]

    >>> rg.evaluate(rg.softsign([-1.0, 0.0, 3.0]))
    array([-0.5 ,  0.  ,  0.75])
    """
    node = as_node(z)
    size = gates.abs(node)
    r = 1.0 / (1.0 + size)
    # The gradient of z r is a difference, r - |z| r**2, of which nothing is left for large |z|.
    return gates.where(size < 1.0, node * r, gates.sign(node) * (1.0 - r))


def hard_tanh(z: Like) -> Node:
    """z held between -1 and 1.  d/dz = 1 for -1 < z < 1, else 0   [Collobert 2004]

    >>> rg.evaluate(rg.hard_tanh([-2.0, 0.5, 3.0]))
    array([-1. ,  0.5,  1. ])
    """
    return gates.minimum(1.0, gates.maximum(-1.0, z))


def hard_sigmoid(z: Like) -> Node:
    """relu6(z + 3) / 6.  d/dz = 1/6 for -3 < z < 3, else 0   [Howard et al. 2019, sec. 5.2]

    PyTorch's and Keras 3's; Courbariaux et al. 2015 and Keras 2 have another slope.

    >>> rg.evaluate(rg.hard_sigmoid([-4.0, 0.0, 1.5, 4.0]))
    array([0.  , 0.5 , 0.75, 1.  ])
    """
    return relu6(as_node(z) + 3.0) / 6.0


def hard_swish(z: Like) -> Node:
    """z hard_sigmoid(z).  d/dz = 0, z/3 + 1/2 or 1   [Howard et al. 2019, sec. 5.2]

    >>> rg.evaluate(rg.hard_swish([-1.5, 1.5, 4.0]))
    array([-0.375,  1.125,  4.   ])
    """
    node = as_node(z)
    return node * hard_sigmoid(node)
