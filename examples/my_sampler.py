"""A sampler: which row stands at a position of the run. Here the rows of an epoch in order, each several times."""


class Repeated:
    def __init__(self, sizes, epoch_size, times=2):
        self.rows, self.epoch_size, self.times = sum(sizes), epoch_size, times

    def at(self, position):  # the same for every worker and rank
        epoch, place = divmod(position, self.epoch_size)
        return (epoch * self.epoch_size + place) // self.times % self.rows
