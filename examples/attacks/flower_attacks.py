"""What a lying server learns from Flower's SecAgg+ clients; every figure is measured in the run."""

import numpy as np
from flower_clients import Clients, InventedPeer, Settings, Uploads, pair_seed, pair_sign
from flwr.common.secure_aggregation.crypto.shamir import combine_shares
from flwr.common.secure_aggregation.secaggplus_constants import Key, Stage
from numpy.typing import NDArray
from outcome import Outcome
from seed_search import SEED_BITS, Search, fold, place_of, varying_bits

__all__ = ["both_lists", "invented_peers", "modulus_of_two", "small_seed", "threshold_of_one"]

VALUES = 1000
Integers = NDArray[np.int64]


def both_lists(generator: np.random.Generator) -> Outcome:
    """One unmask request that lists every client as active and as dropped."""
    clients = Clients(5, VALUES, generator)
    uploads = clients.upload(Settings(clients=5, threshold=4))
    lists = {Key.ACTIVE_NODE_ID_LIST: clients.ids, Key.DEAD_NODE_ID_LIST: clients.ids}
    answers = [clients.ask(node, Stage.UNMASK, dict(lists)) for node in clients.ids]
    exact = 0
    for place, victim in enumerate(clients.ids):
        # Each answer: the shares of all seeds of own masks, then those of all mask keys.
        own = combine_shares([answer[Key.SHARE_LIST][place] for answer in answers])
        mask_key = combine_shares([answer[Key.SHARE_LIST][len(clients.ids) + place] for answer in answers])
        exact += np.array_equal(unmasked(uploads, victim, own, mask_key), clients.hidden[victim])
    return Outcome(
        exact == len(clients.ids),
        f"answered by {len(answers)} of {len(clients.ids)}; {exact} of {len(clients.ids)} vectors recovered, "
        f"every one of {VALUES} integers and the weight equal",
    )


def modulus_of_two(generator: np.random.Generator) -> Outcome:
    """The server names modulus 2, range 1 and a tiny clip: masks are drawn from {0} and values sent as signs."""
    clients = Clients(5, VALUES, generator)
    uploads = clients.upload(Settings(clients=5, threshold=4, clip=1e-9, target_range=1, modulus=2, max_weight=100.0))
    clear = sum(np.array_equal(uploads.masked[node], clients.hidden[node]) for node in clients.ids)
    signs = sum(int((uploads.masked[node][1:] == (clients.vectors[node] > 0)).sum()) for node in clients.ids)
    return Outcome(
        clear == len(clients.ids) and signs == VALUES * len(clients.ids),
        f"accepted by all; {clear} of {len(clients.ids)} uploads carried no mask at all: {signs} of "
        f"{VALUES * len(clients.ids)} signs read, no unmask request needed",
    )


def threshold_of_one(generator: np.random.Generator) -> Outcome:
    """The server names threshold 1, and tells one client that the victim is active, another that it dropped."""
    clients = Clients(5, VALUES, generator)
    uploads = clients.upload(Settings(clients=5, threshold=1))
    victim, first, second = clients.ids[:3]
    alive = clients.ask(first, Stage.UNMASK, {Key.ACTIVE_NODE_ID_LIST: [victim], Key.DEAD_NODE_ID_LIST: []})
    lists = {Key.ACTIVE_NODE_ID_LIST: [second], Key.DEAD_NODE_ID_LIST: [victim]}
    dead = clients.ask(second, Stage.UNMASK, lists)
    own, mask_key = combine_shares(alive[Key.SHARE_LIST][:1]), combine_shares(dead[Key.SHARE_LIST][1:])
    exact = np.array_equal(unmasked(uploads, victim, own, mask_key), clients.hidden[victim])
    return Outcome(
        exact,
        f"accepted by all; 2 clients answered, neither saw the victim on both lists; its {VALUES} integers "
        f"{'recovered exactly' if exact else 'were not recovered'}",
    )


def invented_peers(generator: np.random.Generator) -> Outcome:
    """The server shows one client two peers of its own making: keys carry no signature."""
    clients = Clients(1, VALUES, generator)
    victim, settings = clients.ids[0], Settings(clients=3, threshold=2)
    peers = [InventedPeer(victim + 1), InventedPeer(victim + 2)]
    uploads = clients.upload(settings, peers)
    mask_public, share_public = uploads.public_keys[victim]
    own = combine_shares([peer.open_share(uploads.ciphertexts[peer.node][victim], share_public) for peer in peers])
    opened = uploads.masked[victim] - uploads.mask(own)
    for peer in peers:
        opened = opened - pair_sign(victim, peer.node) * uploads.mask(peer.pair_seed(mask_public))
    exact = np.array_equal(uploads.reduced(opened), clients.hidden[victim])
    error = np.abs(clients.vector_from(uploads.reduced(opened), settings) - clients.vectors[victim]).max()
    return Outcome(
        exact,
        f"accepted; {VALUES} of {VALUES} integers {'recovered' if exact else 'not recovered'} before any unmask "
        f"request; as numbers within {error:.1e}, which is their rounding",
    )


def small_seed(generator: np.random.Generator, space_bits: int) -> Outcome:
    """An honest round of three; one client works with the server, and the server searches the last mask's seed."""
    clients = Clients(3, VALUES, generator)
    settings = Settings(clients=3, threshold=2)
    uploads = clients.upload(settings)
    victim, other, partner = clients.ids
    everybody = {Key.ACTIVE_NODE_ID_LIST: clients.ids, Key.DEAD_NODE_ID_LIST: []}
    answers = [clients.ask(node, Stage.UNMASK, dict(everybody)) for node in clients.ids]
    own = combine_shares([answer[Key.SHARE_LIST][0] for answer in answers])
    known = pair_seed(clients.mask_key_of(partner), uploads.public_keys[victim][0])
    left = uploads.masked[victim] - uploads.mask(own) - pair_sign(victim, partner) * uploads.mask(known)
    left, sign = uploads.reduced(left), pair_sign(victim, other)
    true_seed = fold(pair_seed(clients.mask_key_of(other), uploads.public_keys[victim][0]))
    # A bounded search: which part of the space to visit is chosen by knowing the answer; with 28 bits it is all of it.
    first = place_of(true_seed) >> space_bits << space_bits
    search, opened = Search(left, sign, settings.target_range), []
    for seed in search.candidates(first, 2**space_bits):
        values = uploads.reduced(left - sign * uploads.mask(seed.to_bytes(4, "little")))
        if values.max() <= settings.target_range:
            # All that a server can see: every value lies in the range that it asked for.
            opened.append(values)
    found = len(opened) == 1 and np.array_equal(opened[0], clients.hidden[victim])
    bits, rate = varying_bits(256), search.visited / search.seconds
    share = "all of them" if space_bits == SEED_BITS else f"a part of 2^{space_bits} that we knew to hold it"
    return Outcome(
        found and bits.bit_count() <= SEED_BITS,
        f"of the 32-bit seed {bits.bit_count()} bits vary (0x{bits:08x}, 256 fresh keys); searched {share}: "
        f"{'mask and vector recovered exactly' if found else 'nothing found'}; {rate / 1e6:.1f} million seeds/s on one "
        f"core, so all 2^{SEED_BITS} take {2**SEED_BITS / rate:.0f} s",
    )


def unmasked(uploads: Uploads, victim: int, own_seed: bytes, mask_key: bytes) -> Integers:
    """A client's integers, from the two secrets of which a server may open one."""
    opened = uploads.masked[victim] - uploads.mask(own_seed)
    for peer, (mask_public, _) in uploads.public_keys.items():
        if peer != victim:
            opened = opened - pair_sign(victim, peer) * uploads.mask(pair_seed(mask_key, mask_public))
    return uploads.reduced(opened)
