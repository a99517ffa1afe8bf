from edge_daemon.recordings.losses import Loss, Losses


def test_only_the_first_losses_are_told_in_words() -> None:
    losses = Losses()
    for n in range(1000):
        losses.add(n, n + 1, why=f"loss {n}")
    assert str(losses) == "loss 0; loss 1; loss 2; and 997 more"


def test_a_file_that_is_wrong_all_over_does_not_fill_the_memory() -> None:
    losses = Losses()
    for n in range(5000):
        losses.add(n, n + 1, why="wrong")
    assert losses.count == 5000
    assert len(losses.stretches) == 1000
    assert losses.stretches[7] == Loss(7, 8, "wrong")
