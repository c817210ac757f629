"""Flower's SecAgg+ clients under a server of our own: the published `secaggplus_mod`, unchanged."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.client.mod import secaggplus_mod
from flwr.common import bytes_to_ndarray, ndarrays_to_parameters
from flwr.common.secure_aggregation.crypto.symmetric_encryption import decrypt, encrypt, generate_shared_key
from flwr.common.secure_aggregation.ndarrays_arithmetic import factor_combine, parameters_multiply
from flwr.common.secure_aggregation.quantization import quantize
from flwr.common.secure_aggregation.secaggplus_constants import RECORD_KEY_CONFIGS, RECORD_KEY_STATE, Key, Stage
from flwr.common.secure_aggregation.secaggplus_utils import (
    pseudo_rand_gen,
    share_keys_plaintext_concat,
    share_keys_plaintext_separate,
)
from flwr.common.typing import Code, FitRes, Status
from flwr.compat.common import recorddict_compat as compat
from flwr.supercore.primitives.asymmetric import (
    bytes_to_private_key,
    bytes_to_public_key,
    generate_key_pairs,
    public_key_to_bytes,
)
from flwr.supercore.task_identity import TaskIdentity
from numpy.typing import NDArray

__all__ = ["EXAMPLES", "Clients", "InventedPeer", "Settings", "Uploads", "pair_seed", "pair_sign"]

Integers = NDArray[np.int64]
EXAMPLES = 100
"""Rows that each client says it trained on; its weight in the sum."""

logging.getLogger("flwr").setLevel(logging.ERROR)
TaskIdentity.run_id = TaskIdentity.node_id = TaskIdentity.task_id = 1


@dataclass(frozen=True)
class Settings:
    """What the server sends in the setup stage; the defaults are those of flwr's `SecAggPlusWorkflow`."""

    clients: int
    threshold: int
    clip: float = 8.0
    target_range: int = 2**22
    modulus: int = 2**32
    max_weight: float = 1000.0

    def record(self) -> dict[str, int | float]:
        """As it travels."""
        return {
            Key.SAMPLE_NUMBER: self.clients,
            Key.SHARE_NUMBER: self.clients,
            Key.THRESHOLD: self.threshold,
            Key.CLIPPING_RANGE: self.clip,
            Key.TARGET_RANGE: self.target_range,
            Key.MOD_RANGE: self.modulus,
            Key.MAX_WEIGHT: self.max_weight,
        }


@dataclass
class Uploads:
    """What a server holds after the third stage.

    Attributes:
        settings: what it had asked for.
        public_keys: node → (key for masks, key for shares), as it told the clients.
        ciphertexts: receiver → sender → the sealed shares.
        masked: node → its masked vector, the weight in front.
    """

    settings: Settings
    public_keys: dict[int, tuple[bytes, bytes]]
    ciphertexts: dict[int, dict[int, bytes]]
    masked: dict[int, Integers] = field(default_factory=dict)

    def mask(self, seed: bytes) -> Integers:
        """The mask that Flower expands from a seed."""
        size = len(next(iter(self.masked.values()))) - 1
        return np.concatenate(pseudo_rand_gen(seed, self.settings.modulus, [(1,), (size,)]))

    def reduced(self, values: Integers) -> Integers:
        """Modulo what the server chose."""
        return values % self.settings.modulus


class Clients:
    """Honest clients that run flwr's own code, each with one private vector of float32."""

    def __init__(self, count: int, values: int, generator: np.random.Generator) -> None:
        """Give each client a vector."""
        self.ids = [10**9 + index for index in range(count)]
        self.vectors = {node: generator.uniform(-1, 1, values).astype(np.float32) for node in self.ids}
        self.hidden: dict[int, Integers] = {}
        self._contexts = {
            node: Context(run_id=1, node_id=node, node_config={}, state=RecordDict(), run_config={})
            for node in self.ids
        }

    def ask(self, node: int, stage: str, fields: Mapping[str, object]) -> ConfigRecord:
        """Send one message to one client and give its answer."""
        record = ConfigRecord({Key.STAGE: stage, **fields})
        message = Message(RecordDict({RECORD_KEY_CONFIGS: record}), dst_node_id=node, message_type="train")
        message.metadata.__dict__.update({"_message_id": "x", "_src_node_id": 1, "_run_id": 1})

        def train(inner: Message, context: Context) -> Message:
            result = FitRes(Status(Code.OK, ""), ndarrays_to_parameters([self.vectors[node]]), EXAMPLES, {})
            return Message(compat.fitres_to_recorddict(result, False), reply_to=inner)

        return secaggplus_mod(message, self._contexts[node], train).content.config_records[RECORD_KEY_CONFIGS]

    def mask_key_of(self, node: int) -> bytes:
        """The private mask key of a client that works with the server."""
        return bytes(self._contexts[node].state.config_records[RECORD_KEY_STATE]["sk1"])

    def upload(self, settings: Settings, invented: Sequence["InventedPeer"] = ()) -> Uploads:
        """Lead all clients through the first three stages, with peers that the server invented or without."""
        keys = {peer.node: peer.public_keys for peer in invented}
        for node in self.ids:
            answer = self.ask(node, Stage.SETUP, settings.record())
            keys[node] = (answer[Key.PUBLIC_KEY_1], answer[Key.PUBLIC_KEY_2])
        shown = {str(node): list(pair) for node, pair in sorted(keys.items())}
        uploads = Uploads(settings, keys, {node: {} for node in keys})
        for node in self.ids:
            answer = self.ask(node, Stage.SHARE_KEYS, shown)
            for receiver, data in zip(answer[Key.DESTINATION_LIST], answer[Key.CIPHERTEXT_LIST], strict=True):
                uploads.ciphertexts[receiver][node] = data
            for peer in invented:
                uploads.ciphertexts[node][peer.node] = peer.seal(node, keys[node][1])
        for node in self.ids:
            uploads.masked[node] = self._masked(node, settings, uploads.ciphertexts[node])
        return uploads

    def _masked(self, node: int, settings: Settings, ciphertexts: dict[int, bytes]) -> Integers:
        """The client's masked vector; beside it, what it hid is worked out again from the same random rounding."""
        before = np.random.get_state()
        fields = {Key.SOURCE_LIST: list(ciphertexts), Key.CIPHERTEXT_LIST: list(ciphertexts.values())}
        answer = self.ask(node, Stage.COLLECT_MASKED_VECTORS, fields)
        after = np.random.get_state()
        np.random.set_state(before)
        self.hidden[node] = self._quantised(node, settings)
        np.random.set_state(after)
        return np.concatenate([bytes_to_ndarray(data) for data in answer[Key.MASKED_PARAMETERS]])

    def _quantised(self, node: int, settings: Settings) -> Integers:
        weight = round(EXAMPLES / settings.max_weight * settings.target_range)
        scaled = parameters_multiply([self.vectors[node]], weight / settings.target_range)
        parts = factor_combine(weight, quantize(scaled, settings.clip, settings.target_range))
        return np.concatenate(parts).astype(np.int64)

    def vector_from(self, opened: Integers, settings: Settings) -> NDArray[np.float64]:
        """The client's vector out of its opened integers, the way flwr's server reads a sum."""
        weight, values = int(opened[0]), opened[1:].astype(np.float64)
        return (values * (2 * settings.clip / settings.target_range) - settings.clip) / (weight / settings.target_range)


class InventedPeer:
    """A peer that only the server has seen; nothing in the protocol says who it is."""

    def __init__(self, node: int) -> None:
        """Make the two key pairs that a client would make."""
        self.node = node
        (self._mask_key, mask_public), (self._share_key, share_public) = generate_key_pairs(), generate_key_pairs()
        self.public_keys = (public_key_to_bytes(mask_public), public_key_to_bytes(share_public))

    def seal(self, node: int, share_public: bytes) -> bytes:
        """Shares to a client, of no secret at all."""
        plain = share_keys_plaintext_concat(self.node, node, bytes(20), bytes(20))
        return bytes(encrypt(generate_shared_key(self._share_key, bytes_to_public_key(share_public)), plain))

    def open_share(self, ciphertext: bytes, share_public: bytes) -> bytes:
        """The share of a client's own mask seed that the client sealed to this peer."""
        key = generate_shared_key(self._share_key, bytes_to_public_key(share_public))
        return bytes(share_keys_plaintext_separate(decrypt(key, ciphertext))[2])

    def pair_seed(self, mask_public: bytes) -> bytes:
        """The seed of the mask that a client shares with this peer."""
        return bytes(generate_shared_key(self._mask_key, bytes_to_public_key(mask_public)))


def pair_seed(mask_key: bytes, mask_public: bytes) -> bytes:
    """The seed of the mask of a pair, from one end's private key."""
    return bytes(generate_shared_key(bytes_to_private_key(mask_key), bytes_to_public_key(mask_public)))


def pair_sign(node: int, peer: int) -> int:
    """Whether a client adds (+1) or takes away (−1) the mask that it shares with a peer."""
    return 1 if node > peer else -1
