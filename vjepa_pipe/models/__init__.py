"""The network of V-JEPA 2 pretraining, its optimiser, schedules and weights; frozen encoders and probes of them."""
