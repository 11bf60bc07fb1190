"""Questions and answers about one clip as one sequence, so that the visual tokens are computed once for all of them.

A sequence is ``prefix | branch 1 | branch 2 ...``: the prefix holds the visual tokens, a branch one question with its
answer. A branch sees the prefix and itself, and its positions go on from the prefix's end, so each branch is computed
exactly as if it stood alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from hiprobe.backbones.embedded.language import IMAGE_TOKEN

IGNORED = -100
ROUND = 8  # lengths are padded to multiples of it


@dataclass(frozen=True, eq=False)
class Pack:
    """B packed sequences, padded to N tokens, a multiple of ROUND.

    Attributes
    ----------
    ids, positions : LongTensor of shape (B, N)
    targets : LongTensor of shape (B, N)
        What comes after each token, where it belongs to an answer; else IGNORED.
    mask : BoolTensor of shape (B, 1, N, N)
        What each token (row) may see.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    targets: torch.Tensor
    mask: torch.Tensor


class Packer:
    """Packs with a tokenizer that has a chat template.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizer
        The backbone's.
    visual_tokens : int
        Visual tokens per clip.
    """

    def __init__(self, tokenizer: Any, visual_tokens: int) -> None:
        self._tokenizer = tokenizer
        message = [{"role": "user", "content": f"{IMAGE_TOKEN * visual_tokens}\n\0"}]
        text = tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
        before, self._after = str(text).split("\0")
        self._end = "<|im_end|>"
        self.prefix = self._encode(before)

    def pack(self, clips: Sequence[Sequence[tuple[str, str]]]) -> Pack:
        """Pack the (question, answer) pairs of each clip."""
        built = [self._sequence(pairs) for pairs in clips]
        longest = max(len(ids) for ids, *_ in built)
        length = -(-longest // ROUND) * ROUND
        count = len(built)
        pack = Pack(
            torch.zeros(count, length, dtype=torch.long),
            torch.zeros(count, length, dtype=torch.long),
            torch.full((count, length), IGNORED),
            # A padding token sees itself: a row without any visible token would not be a number.
            torch.eye(length, dtype=torch.bool).repeat(count, 1, 1, 1),
        )
        for row, (ids, positions, targets, branches) in enumerate(built):
            n = len(ids)
            pack.ids[row, :n] = torch.tensor(ids)
            pack.positions[row, :n] = torch.tensor(positions)
            pack.targets[row, :n] = torch.tensor(targets)
            branch = torch.tensor(branches)
            seen = (branch[None, :] == branch[:, None]) | (branch[None, :] == 0)
            pack.mask[row, 0, :n, :n] = seen & torch.ones(n, n, dtype=torch.bool).tril()
        return pack

    def _sequence(self, pairs: Sequence[tuple[str, str]]) -> tuple[list[int], list[int], list[int], list[int]]:
        ids, positions = list(self.prefix), list(range(len(self.prefix)))
        targets, branches = [IGNORED] * len(ids), [0] * len(ids)
        for number, (question, answer) in enumerate(pairs, start=1):
            asked, said = self._encode(question + self._after), self._encode(answer + self._end)
            whole = asked + said
            ids += whole
            positions += range(len(self.prefix), len(self.prefix) + len(whole))
            targets += [IGNORED] * (len(asked) - 1) + said + [IGNORED]
            branches += [number] * len(whole)
        return ids, positions, targets, branches

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])
