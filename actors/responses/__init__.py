"""Answers of `/v1/responses`, kept for a while.

actor.py   keeps, finds and forgets
store.py   which ones stay: by their number, their bytes, and when they were last used
"""
