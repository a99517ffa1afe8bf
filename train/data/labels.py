"""Labels as they come out of any layout."""

from dataclasses import dataclass, field

from train.data.strips import ClassMap, Fault, Severity


@dataclass(slots=True)
class Labels:
    """Class maps of the images that have defects, as far as they could be read.

    Attributes:
        maps: by image name; an image that is in neither `maps` nor `faulty` is free of defects.
        faulty: names of images whose labels are not to be trusted.
        faults: what is wrong.
    """

    maps: dict[str, ClassMap] = field(default_factory=dict)
    faulty: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)

    def note(self, where: str, what: str, *, image: str, severity: Severity = "error") -> None:
        """Keep a fault, and with an error distrust its image."""
        self.faults.append(Fault(where, what, severity))
        if severity == "error":
            self.faulty.add(image)
