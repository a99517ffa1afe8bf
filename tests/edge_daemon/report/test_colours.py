from edge_daemon.report.colours import class_colour, class_hex


def test_classes_of_the_shipped_bundle_have_four_colours() -> None:
    assert len({class_colour(class_id) for class_id in range(1, 5)}) == 4


def test_every_class_id_of_a_mask_has_a_colour() -> None:
    assert all(class_hex(class_id).startswith("#") for class_id in range(1, 256))


def test_the_page_writes_the_same_colour_as_the_picture_has() -> None:
    red, green, blue = class_colour(2)
    assert class_hex(2) == f"#{red:02x}{green:02x}{blue:02x}"
