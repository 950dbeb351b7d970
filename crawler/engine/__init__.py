"""When things run and in which process: clock, crawl crew, supervisor.

Runs callables that are given to it and knows no room above or beside it. Imports the standard library only, so that the
parent process stays small.
"""
