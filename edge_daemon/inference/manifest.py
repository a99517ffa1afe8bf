"""What a bundle's manifest says: `bundle.json`, schema 1 (unknown keys are refused).

schema        1
name          what to call it: letters, digits, `_`, `.`, `-`
version       free text, changes with every export
classes       K of {id 1..255, name, threshold, min_area_px, severity minor|major|critical}, in
              the order of the output's planes; a pixel belongs to a class above `threshold`,
              a connected region counts from `min_area_px` pixels on
input         {name, dtype "uint8", shape ["N", 1, H, W]}: grey values, N strips at once
output        {name, dtype "float32", shape ["N", K, h, w], stride, kind "probability"};
              h = H / stride, and cell (i, j) is centred on pixel
              ((i + .5) stride - .5, (j + .5) stride - .5)
provenance    {data, data_fingerprint, commit, seed, config_sha256, steps, architecture {...}}
scores        {figure: number}; the card says what each was measured on
known_answer  {file, tolerance}: no probability may differ from the stored one by more
int8          only where INT8 is offered: {file, limit, dice_drop {class: number}, calibration
              {strips, method}}; `dice_drop` is by how much the mean Dice over the held-out
              strips that have the class fell from `model.onnx`, each at most `limit`
files         {name: SHA-256 in hex} of every file in the folder but `bundle.json`
"""

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

ONNX = "model.onnx"
PROGRAM = "model.pt2"
CARD = "card.md"
INT8 = "model.int8.onnx"
SEVERITIES = ("minor", "major", "critical")


def _unlike_a_severity(name: str) -> str:
    if name in SEVERITIES:
        raise ValueError(f"a class can't be called {name}: that is a severity")
    return name


FileName: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")]
ClassName: TypeAlias = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$"), AfterValidator(_unlike_a_severity)
]
Sha256: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Size: TypeAlias = Annotated[int, Field(ge=1, le=16384)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BundleClass(_Part):
    """One class of defect, as plane number `position in the list` of the output.

    Its name becomes part of fields and labels: `defects_pitting` beside `defects_major`.
    """

    id: Annotated[int, Field(ge=1, le=255)]
    name: ClassName
    threshold: Annotated[float, Field(gt=0, lt=1)]
    min_area_px: Annotated[int, Field(ge=0)]
    severity: Literal["minor", "major", "critical"]


class BundleInput(_Part):
    """The network's one input."""

    name: str
    dtype: Literal["uint8"]
    shape: tuple[Literal["N"], Literal[1], Size, Size]


class BundleOutput(_Part):
    """The network's one output."""

    name: str
    dtype: Literal["float32"]
    shape: tuple[Literal["N"], Size, Size, Size]
    stride: Size
    kind: Literal["probability"]


class Provenance(_Part):
    """Where the weights come from.

    Attributes:
        data: name of the data set.
        data_fingerprint: SHA-256 over the names and pixels that were trained on.
        commit: of this project; "unknown" outside a checkout.
        seed: of the run.
        config_sha256: of the run's configuration.
        steps: optimiser steps made.
        architecture: configuration from which `models` builds the same graph again.
    """

    data: str
    data_fingerprint: Sha256
    commit: str
    seed: Annotated[int, Field(ge=0)]
    config_sha256: Sha256
    steps: Annotated[int, Field(ge=0)]
    architecture: dict[str, JsonValue]


class KnownAnswer(_Part):
    """An input and the output it must give."""

    file: FileName
    tolerance: Annotated[float, Field(gt=0, lt=1)]


class Calibration(_Part):
    """How the scales of an INT8 network were chosen.

    Attributes:
        strips: how many training strips were looked at.
        method: in words.
    """

    strips: Annotated[int, Field(ge=1)]
    method: Annotated[str, Field(min_length=1, max_length=200)]


class Int8(_Part):
    """The INT8 network that a bundle offers, and what it costs.

    Attributes:
        file: ONNX with Q/DQ pairs.
        limit: what each class was allowed to lose.
        dice_drop: what each class lost, of the mean Dice over the held-out strips that have it;
            negative where it gained.
        calibration: how its scales were chosen.
    """

    file: FileName
    limit: Annotated[float, Field(gt=0, lt=1)]
    dice_drop: dict[ClassName, Annotated[float, Field(ge=-1, le=1)]]
    calibration: Calibration

    @model_validator(mode="after")
    def _keeps_the_limit(self) -> Self:
        for name, drop in self.dice_drop.items():
            if drop > self.limit:
                raise ValueError(f"int8: {name} loses {drop:.4f} Dice, the limit is {self.limit}")
        return self


class Manifest(_Part):
    """`bundle.json`; the module's docstring says what each key means."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    name: FileName
    version: Annotated[str, Field(min_length=1, max_length=64)]
    classes: Annotated[tuple[BundleClass, ...], Field(min_length=1)]
    input: BundleInput
    output: BundleOutput
    provenance: Provenance
    scores: dict[str, float]
    known_answer: KnownAnswer
    int8: Int8 | None = None
    files: dict[FileName, Sha256]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        _, planes, h, w = self.output.shape
        _, _, height, width = self.input.shape
        if planes != len(self.classes):
            raise ValueError(f"output has {planes} planes for {len(self.classes)} classes")
        if (h * self.output.stride, w * self.output.stride) != (height, width):
            raise ValueError(
                f"output {h} x {w} at stride {self.output.stride} isn't {height} x {width}"
            )
        if len({one.id for one in self.classes}) < planes:
            raise ValueError("two classes have the same id")
        if len({one.name for one in self.classes}) < planes:
            raise ValueError("two classes have the same name")
        needed = {ONNX, PROGRAM, CARD, self.known_answer.file}
        if self.int8 is not None:
            needed.add(self.int8.file)
            if self.int8.dice_drop.keys() != {one.name for one in self.classes}:
                raise ValueError("int8: dice_drop must have every class, and no other")
        if missing := sorted(needed - self.files.keys()):
            raise ValueError(f"files lacks {', '.join(missing)}")
        return self
