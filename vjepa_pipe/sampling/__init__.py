"""Which sample comes when: samplers, keys, seeds, and generators made from keys."""

from vjepa_pipe.sampling.apportionment import EpochQuotas
from vjepa_pipe.sampling.concat import ConcatIndices
from vjepa_pipe.sampling.distributed import WHERE_TO_BUILD, rank_and_world
from vjepa_pipe.sampling.key import KeyedIndex, SampleKey
from vjepa_pipe.sampling.order import SampleOrder
from vjepa_pipe.sampling.own import OwnOrder
from vjepa_pipe.sampling.permutation import KeyedPermutation
from vjepa_pipe.sampling.rng import generator, keyed_hash
from vjepa_pipe.sampling.sequential import SequentialOrder
from vjepa_pipe.sampling.weighted import DistributedWeightedSampler
from vjepa_pipe.sampling.worker_seeds import lcg_seeds, seed_worker

__all__ = [
    "WHERE_TO_BUILD",
    "ConcatIndices",
    "DistributedWeightedSampler",
    "EpochQuotas",
    "KeyedIndex",
    "KeyedPermutation",
    "OwnOrder",
    "SampleKey",
    "SampleOrder",
    "SequentialOrder",
    "generator",
    "keyed_hash",
    "lcg_seeds",
    "rank_and_world",
    "seed_worker",
]
