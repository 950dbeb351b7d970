"""crawler/stages"""
