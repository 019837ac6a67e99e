"""PyAV, decord and torchcodec, behind the one protocol of `reader.py`."""
