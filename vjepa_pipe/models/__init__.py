"""The network of V-JEPA 2 pretraining, its optimiser and schedules, and its weights in other layouts."""
