"""What lesson 07 records of one training that is started in several ways."""

LESSON = "07_scaling_out"


def test_it_is_the_same_training_however_it_is_started(recorded):
    figures = recorded(LESSON)
    assert figures["world_size"] == 2
    for name in ("cli", "ddp", "resume", "told"):
        assert figures[f"{name}_worst_loss_difference"] < 1e-4, name


def test_a_mean_of_means_is_another_training(recorded):
    assert recorded(LESSON)["untold_worst_loss_difference"] > 1e-3
