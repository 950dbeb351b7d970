"""What the house is measured by: `make bench` prints one table of ratios against named baselines, taken in one run."""
