"""crawler/store"""
