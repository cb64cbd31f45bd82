"""Equal tuning: every family gets the same number of trials and the same budget a trial.

A trial trains a model with options drawn from its search space and scores it on validation data
alone. Every trial is a row of a CSV file, the failed ones included, and a second call goes on where
the first one ended.
"""
