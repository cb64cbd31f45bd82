"""Claims with verdicts: a sentence, the runs that can settle it, and what they say.

schema      claim files
compile     a claim file -> the plan of cells it needs
evidence    scores -> numbers by seed for each side of a claim
intervals   numbers by seed -> an effect and its interval
verdicts    interval against delta -> supported, refuted, inconclusive or untestable
aggregate   several data sets -> interquartile mean with stratified bootstrap
output      claims.md, claims.csv, the terminal's table
figures     a figure a claim
"""
