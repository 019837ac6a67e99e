"""A task: what to do with an experiment. Here the mean brightness of some batches."""

from vjepa_pipe import DataManager


def brightness(experiment, output_dir):
    loader = DataManager(experiment, output_dir=output_dir).build_train_loader()
    means = [float(batch["video"].mean()) for batch in loader]
    return {"brightness": sum(means) / len(means)}
