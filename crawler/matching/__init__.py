"""crawler/matching"""
