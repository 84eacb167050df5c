"""all-MiniLM-L6-v2 in numpy: a BERT of six layers, its last states averaged over the tokens.

Architecture: Devlin et al. 2018 (BERT), Wang et al. 2020 (MiniLM), Reimers and Gurevych 2019
(mean pooling). Figures are in docs/decisions/0086.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from memory.logic.arrays import numpy

HEADS = 12
LAYERS = 6
MAX_TOKENS = 256  # what the model was trained to read
# The error function to 1.5e-7: Abramowitz and Stegun 1964, formula 7.1.26. numpy has none.
_ERF = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
_ERF_P = 0.3275911
_EPSILON = 1e-12  # `layer_norm_eps` of the model


class MiniLM:
    """The model, loaded from the folder of its files. Give it to one thread at a time."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()
        self._weights = read_safetensors(folder / "model.safetensors")
        self._layers = [self._layer(at) for at in range(LAYERS)]

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of texts, cut to what the model reads."""
        return [one.ids for one in self._tokenizer.encode_batch(list(texts))]

    def embed(self, rows: Sequence[Sequence[int]]) -> Any:
        """Return a float32 array, one vector a row of token ids; best for rows of like length."""
        np = numpy()
        longest = max(map(len, rows))
        ids = np.zeros((len(rows), longest), "i8")
        mask = np.zeros((len(rows), longest), "f4")
        for at, row in enumerate(rows):
            ids[at, : len(row)] = row
            mask[at, : len(row)] = 1.0
        states = self._embedded(ids)
        for layer in self._layers:
            states = _transformed(states, mask, layer)
        return (states * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)

    def _embedded(self, ids: Any) -> Any:
        found = {name: self._weights[f"embeddings.{name}_embeddings.weight"] for name in _SUMMED}
        summed = found["word"][ids] + found["position"][: ids.shape[1]] + found["token_type"][0]
        norm = "embeddings.LayerNorm"
        return _normed(summed, self._weights[f"{norm}.weight"], self._weights[f"{norm}.bias"])

    def _layer(self, at: int) -> dict[str, Any]:
        """Return the weights of a layer, transposed once, those of query, key and value joined."""
        np = numpy()
        prefix = f"encoder.layer.{at}."
        part = {name: self._weights[f"{prefix}{full}"] for name, full in _LAYER.items()}
        asked = [f"{prefix}attention.self.{name}" for name in ("query", "key", "value")]
        weight = np.concatenate([self._weights[f"{one}.weight"] for one in asked])
        part["asked"] = np.ascontiguousarray(weight.T)
        part["asked_bias"] = np.concatenate([self._weights[f"{one}.bias"] for one in asked])
        for name in ("mixed", "wide", "narrow"):
            part[name] = np.ascontiguousarray(part[name].T)
        return part


_SUMMED = ("word", "position", "token_type")
_LAYER = {
    "mixed": "attention.output.dense.weight",
    "mixed_bias": "attention.output.dense.bias",
    "norm": "attention.output.LayerNorm.weight",
    "norm_bias": "attention.output.LayerNorm.bias",
    "wide": "intermediate.dense.weight",
    "wide_bias": "intermediate.dense.bias",
    "narrow": "output.dense.weight",
    "narrow_bias": "output.dense.bias",
    "last_norm": "output.LayerNorm.weight",
    "last_norm_bias": "output.LayerNorm.bias",
}


def read_safetensors(path: Path) -> dict[str, Any]:
    """Return the float32 tensors of a file: its length of header, header in JSON, then numbers."""
    np = numpy()
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    whole = memoryview(data)[8 + size :]
    return {
        name: np.frombuffer(whole[slice(*told["data_offsets"])], "<f4").reshape(told["shape"])
        for name, told in header.items()
        if name != "__metadata__" and told["dtype"] == "F32"
    }


def _transformed(states: Any, mask: Any, layer: dict[str, Any]) -> Any:
    mixed = _attended(states, mask, layer) @ layer["mixed"] + layer["mixed_bias"]
    states = _normed(states + mixed, layer["norm"], layer["norm_bias"])
    wide = _gelu(states @ layer["wide"] + layer["wide_bias"])
    narrow = wide @ layer["narrow"] + layer["narrow_bias"]
    return _normed(states + narrow, layer["last_norm"], layer["last_norm_bias"])


def _attended(states: Any, mask: Any, layer: dict[str, Any]) -> Any:
    np = numpy()
    texts, length, width = states.shape
    asked = (states @ layer["asked"] + layer["asked_bias"]).reshape(texts, length, 3, HEADS, -1)
    query, key, value = np.moveaxis(asked, (2, 3), (0, 2))
    scores = query @ np.swapaxes(key, 2, 3) / np.float32((width // HEADS) ** 0.5)
    scores += (mask[:, None, None, :] - 1.0) * np.float32(1e9)
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    shares = scores / scores.sum(-1, keepdims=True)
    return np.moveaxis(shares @ value, 1, 2).reshape(texts, length, width)


def _normed(states: Any, weight: Any, bias: Any) -> Any:
    np = numpy()
    centred = states - states.mean(-1, keepdims=True)
    spread = np.sqrt((centred * centred).mean(-1, keepdims=True) + np.float32(_EPSILON))
    return centred / spread * weight + bias


def _gelu(states: Any) -> Any:
    np = numpy()
    scaled = np.abs(states) * np.float32(0.5**0.5)
    share = 1.0 / (1.0 + np.float32(_ERF_P) * scaled)
    curve = np.float32(_ERF[-1])
    for factor in reversed(_ERF[:-1]):
        curve = curve * share + np.float32(factor)
    rest = curve * share * np.exp(-scaled * scaled)
    return states * np.where(states < 0, 0.5 * rest, 1.0 - 0.5 * rest)
