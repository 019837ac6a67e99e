"""The published loader's functions, with our pipeline behind them."""
